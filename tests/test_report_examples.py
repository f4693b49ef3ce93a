# SPDX-License-Identifier: Apache-2.0
"""Examples are right clean, attacked within eps, and judged by each network for itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from study_samples import cell

from axhil.attacks import parse_attack
from axhil.report.example_search import Examples, find_examples
from axhil.report.figures.examples import draw_examples, examples_figure
from axhil.report.figures.saving import save_figure
from axhil.report.panels import telling_budget
from axhil.study.assignments import network_assignments
from axhil.study.errors import StudyError
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

EPS = 0.25


@pytest.fixture(scope="module")
def subject():
    return load_subject("lenet5")


@pytest.fixture(scope="module")
def images():
    return embedded_split("evaluation").select(48)


@pytest.fixture(scope="module")
def tables():
    return network_assignments(["drum(3),exact"])


def search(subject, images, tables, **changes):
    options = {"attack": "fgsm", "norm": "linf", "eps": EPS, "seed": 0, **changes}
    return find_examples(subject, images, tables, **options)


@pytest.fixture(scope="module")
def found(subject, images, tables):
    return search(subject, images, tables)


def test_the_accurate_network_is_attacked_wherever_it_stands(found):
    assert found.attacked == "ACC"
    assert list(found.predictions) == ["float32", "DR3", "ACC"]


def test_examples_are_of_different_classes_right_clean_and_wrong_attacked(found):
    assert len(set(found.labels)) == len(found.labels) == 5
    np.testing.assert_array_equal(found.predictions["ACC"][0], found.labels)
    assert (found.predictions["ACC"][1] != found.labels).all()
    assert found.fooled.all()


@pytest.mark.parametrize("eps", [0.15, 0.5], ids=["few break", "most break"])
def test_examples_are_the_first_of_their_class_that_are_broken(subject, images, tables, eps):
    """FGSM, written out: one step along the sign of the loss's gradient."""
    found = search(subject, images, tables, eps=eps)
    exact = subject.prepared.emulate(network_assignments(["exact"])[0].mapping())
    x, y = images.batch()
    x = x.requires_grad_()
    torch.nn.functional.cross_entropy(exact(x), y, reduction="sum").backward()
    stepped = (x + eps * x.grad.sign()).clamp(0, 1).detach()
    with torch.no_grad():
        broken = ((exact(x).argmax(1) == y) & (exact(stepped).argmax(1) != y)).numpy()
    for clean, adversarial, label in zip(found.clean, found.adversarial, found.labels, strict=True):
        first = np.flatnonzero(broken & (images.labels == label))[0]
        np.testing.assert_array_equal(clean, x[first].detach().numpy())
        # Gradients of another batch may round otherwise and flip a sign where they are tiny.
        assert np.mean(np.abs(adversarial - stepped[first].numpy()) > 1e-6) < 0.01


def test_a_random_start_is_that_of_the_images_number_and_the_seed(subject, images, tables):
    found = search(subject, images, tables, attack="pgd", count=1, seed=3)
    exact = subject.prepared.emulate(network_assignments(["exact"])[0].mapping())
    (where,) = [i for i, x in enumerate(images.batch()[0].numpy()) if (x == found.clean[0]).all()]
    x, y = images.batch(slice(where, where + 1))
    shares, number = [], int(images.indices[where])
    for index, seed in ((number, 3), (number + 1, 3), (number, 0)):
        again = parse_attack("pgd", "linf")(
            exact, x, y, eps=EPS, seed=seed, indices=torch.tensor([index])
        )
        shares.append(np.mean(np.abs(again.numpy() - found.adversarial) > 1e-6))
    same, other_image, other_seed = shares
    assert same < 0.05  # rounding of another batch
    assert min(other_image, other_seed) > 0.1


def test_adversarial_images_are_in_the_ball_and_in_the_box(found):
    assert np.abs(found.adversarial - found.clean).max() <= EPS + 1e-6
    assert found.adversarial.min() >= 0
    assert found.adversarial.max() <= 1


def test_predictions_are_each_networks_own(subject, tables, found):
    networks = {one.label: subject.prepared.emulate(one.mapping()) for one in tables}
    networks["float32"] = subject.float_model
    for name, network in networks.items():
        for shown, x in zip(found.predictions[name], (found.clean, found.adversarial), strict=True):
            with torch.no_grad():
                expected = network(torch.from_numpy(x)).argmax(1).numpy()
            np.testing.assert_array_equal(shown, expected)


def test_where_the_attack_breaks_too_few_the_first_right_images_make_up(subject, images, tables):
    few = search(subject, images, tables, eps=1e-4, count=3)
    assert len(set(few.labels)) == 3
    assert not few.fooled.any()
    np.testing.assert_array_equal(few.predictions["ACC"][0], few.labels)
    text = draw_examples(few, title="").get_supxlabel()
    assert "wrong attacked" not in text


def test_without_an_exact_multiplier_the_first_is_attacked(subject, images):
    assert search(subject, images, network_assignments(["drum(4),drum(3)"])).attacked == "DR4"


def test_what_cannot_be_shown_is_refused(subject, images, tables):
    wrong = replace(images, labels=(images.labels + 1) % 10)
    with pytest.raises(StudyError, match="ACC classifies none of the first 48 images of mnist5k"):
        search(subject, wrong, tables)
    with pytest.raises(StudyError, match="at least one multiplier"):
        search(subject, images, [])


def made(channels=1, classes=("cat", "dog", "ship")):
    """Two images of which the second fools the accurate network alone."""
    draw = np.random.default_rng(2)
    clean = draw.uniform(0.2, 0.8, (2, channels, 4, 4)).astype(np.float32)
    return Examples(
        attacked="ACC",
        fooled=np.array([False, True]),
        clean=clean,
        adversarial=clean + np.float32(0.125),
        labels=np.array([0, 2]),
        classes=classes,
        predictions={
            "float32": np.array([[0, 2], [0, 2]]),
            "ACC": np.array([[0, 2], [0, 1]]),
        },
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_has_a_row_per_image_and_a_marked_box_per_network(channels):
    figure = draw_examples(made(channels), title="a title")
    assert figure.get_suptitle() == "a title"
    assert figure.axes[0].get_gridspec().get_geometry() == (2, 4)
    boxes = [
        [text.get_text() for text in panel.texts if text.get_text()[0] in "✓✗"]
        for panel in figure.axes[3::4]
    ]
    assert boxes == [["✓ cat"] * 4, ["✓ ship", "✓ ship", "✓ ship", "✗ dog"]]
    headings = [t.get_text() for t in figure.axes[3].texts if t.get_text() in ("float32", "ACC")]
    assert headings == ["float32", "ACC"]
    # The scale of the perturbation is said above it and below the picture.
    assert figure.axes[1].get_title() == "perturbation\n(±0.125)"
    assert "0.125" in figure.get_supxlabel()
    assert "attack is on ACC" in figure.get_supxlabel()
    assert [panel.get_ylabel() for panel in figure.axes[::4]] == ["cat", "ship"]


def test_wrong_boxes_differ_from_right_ones_in_lightness_too():
    panel = draw_examples(made(), title="").axes[7]
    light = [
        0.2126 * r + 0.7152 * g + 0.0722 * b
        for r, g, b, _ in (p.get_facecolor() for p in panel.patches)
    ]
    assert light[0] == light[1] == light[2]
    assert light[3] < light[0] - 0.1


def test_the_figure_is_named_after_what_was_run_and_its_bytes_repeat(
    subject, images, tables, tmp_path
):
    files = []
    for name in ("one", "two"):
        figure = examples_figure(
            subject, images, tables, attack="fgsm", norm="linf", eps=EPS, seed=0, count=2
        )
        assert figure.get_suptitle() == "LeNet-5, FGSM L∞, eps 0.25"
        files.append([path.read_bytes() for path in save_figure(figure, tmp_path / name)])
    assert files[0] == files[1]


def test_the_telling_budget_is_where_half_of_the_clean_accuracy_is_left():
    rows = ["1" * k + "0" * (10 - k) for k in (8, 7, 5, 3, 1)]
    budgets = (0.0, 0.1, 0.2, 0.3, 0.4)
    some = [
        cell(*["1" * 10] * 5, budgets=budgets, label="DR3", multiplier="drum(3)"),
        cell(*rows, budgets=budgets),
    ]
    # 8 of 10 clean: 4 is as near to 5 as to 3, and the smaller budget counts.
    assert telling_budget(some, attack="fgsm", norm="linf") == 0.2
    assert telling_budget(some, attack="pgd", norm="linf") is None
    assert telling_budget([], attack="fgsm", norm="linf") is None
    only_clean = cell("1", budgets=(0.0,))
    assert telling_budget([only_clean], attack="fgsm", norm="linf") is None
    # Without an accurate multiplier the first cell's counts; without eps 0 the smallest eps.
    late = cell("1111", "1110", "1100", budgets=(0.1, 0.2, 0.3), label="X", multiplier="drum(3)")
    assert telling_budget([late], attack="fgsm", norm="linf") == 0.3
