# SPDX-License-Identifier: Apache-2.0
"""A small library of standard cells as Liberty text, its units those of no other."""

_HEAD = """\
/* A library { for tests. */
library ("small") {
  delay_model : table_lookup;  // braces { in comments do not count
  time_unit : "10ps"; voltage_unit : "100mV"; leakage_power_unit : "1uW";
  capacitive_load_unit (2, ff);
  nom_voltage : 10;
  default_input_pin_cap : 0.5;
  default_wire_load : "near";
  wire_load ("near") { capacitance : 0.25; slope : 2; fanout_length (1, 2); fanout_length (3, 6); }
  lu_table_template (square) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("1, 2, 4"); index_2 ("1, 3");
  }
  lu_table_template (setup) {
    variable_1 : constrained_pin_transition; variable_2 : related_pin_transition;
    index_1 ("1, 3"); index_2 ("1, 3");
  }
  power_lut_template (line) { variable_1 : input_transition_time; index_1 ("1, 3"); }
"""


def _timing(pin, sense, *, slow=1.0):
    """Delay 1 + load + slew / 2, in the file's units; slews half of it, falling edges 10 % more."""

    def table(kind, factor):
        rows = [
            ", ".join(f"{slow * factor * (1 + load + slew / 2):.6g}" for slew in (1, 3))
            for load in (1, 2, 4)
        ]
        quoted = ", \\\n        ".join(f'"{row}"' for row in rows)
        return f"      {kind} (square) {{ values ({quoted}); }}\n"

    tables = table("cell_rise", 1) + table("cell_fall", 1.1)
    tables += table("rise_transition", 0.5) + table("fall_transition", 0.55)
    return f'    timing () {{ related_pin : "{pin}"; timing_sense : {sense};\n{tables}    }}\n'


def _power(inputs):
    return (
        f'    internal_power () {{ related_pin : "{inputs}";\n'
        '      rise_power (line) { values ("2, 4"); }\n'
        '      fall_power (line) { values ("4, 8"); }\n    }\n'
    )


def cell(name, area, functions, *, sense="negative_unate", more="", capacitance=1.0, slow=1.0):
    """A combinational cell: area, and functions by output; leakage is a tenth of the area."""
    text = " ".join(functions.values())
    inputs = sorted({sign for sign in text if sign.isalpha()})
    pins = "".join(
        f"  pin ({pin}) {{ direction : input; capacitance : {capacitance}; }}\n" for pin in inputs
    )
    for pin, function in functions.items():
        pins += f'  pin ({pin}) {{ direction : output; function : "{function}";\n'
        pins += "".join(_timing(one, sense, slow=slow) for one in inputs)
        pins += _power(" ".join(inputs)) + "  }\n"
    return f'cell ("{name}") {{ area : {area}; cell_leakage_power : {area / 10}; {more}\n{pins}}}\n'


CELLS = {
    "INV": cell("INV", 1, {"Y": "!A"}),
    "INV_DONT": cell("INV_DONT", 0.1, {"Y": "A'"}, more='dont_use : "true";'),
    "BUF": cell("BUF", 2, {"Y": "A"}, sense="positive_unate"),
    "NAND2": cell("NAND2", 1.5, {"Y": "!(A B)"}),
    "NOR2": cell("NOR2", 1.5, {"Y": "(!A) * (!B)"}),
    "AOI21": cell("AOI21", 2, {"Y": "!((A & B) | C)"}),
    "XOR2": cell("XOR2", 3, {"Y": "A ^ B"}, sense="non_unate", capacitance=2),
    "FA": cell(
        "FA", 6, {"S": "A ^ B ^ C", "CO": "A B + C (A + B)"}, sense="non_unate", capacitance=3
    ),
    "DFF": 'cell ("DFF") { area : 9; ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }\n'
    "  pin (D) { direction : input; capacitance : 1;\n"
    '    timing () { related_pin : "C"; timing_type : hold_rising;\n'
    '      rise_constraint (scalar) { values ("90"); } }\n'
    '    timing () { related_pin : "C"; timing_type : setup_rising;\n'
    '      rise_constraint (setup) { values ("1, 2", "3, 4"); }\n'
    '      fall_constraint (setup) { values ("2, 3", "4, 5"); } } }\n'
    "  pin (C) { direction : input; clock : true; capacitance : 2;\n"
    '    internal_power () { power (scalar) { values ("5"); } } }\n'
    '  pin (Q) { direction : output; function : "IQ";\n'
    + _timing("C", "non_unate")
    + _power("C")
    + "} }\n",
    "TRI": 'cell ("TRI") { area : 1;\n'
    "  pin (A) { direction : input; } pin (E) { direction : input; }\n"
    '  pin (Y) { direction : output; function : "A"; three_state : "!E"; } }\n',
}


def liberty(*names):
    """The library's text; with some of its cells, or all."""
    return _HEAD + "".join(CELLS[name] for name in names or CELLS) + "}\n"
