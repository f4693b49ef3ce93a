# SPDX-License-Identifier: Apache-2.0
"""Netlists in the shapes that libraries of approximate multipliers are published in."""

HEADER = """\
/***
* This circuit is a test sample: exact, in the shape of a published one.
***/
// MAE% = 0.00 %
// MAE = 0
// WCE = 0
// EP% = 0.00 %
"""

CELLS = """
/* mod */
module PDKGENHAX1( input A, input B, output YS, output YC );
    assign YS = A ^ B;
    assign YC = A & B;
endmodule
/* mod */
module PDKGENFAX1( input A, input B, input C, output YS, output YC );
    assign YS = (A ^ B) ^ C;
    assign YC = (A & B) | (B & C) | (A & C);
endmodule
/* mod */
module PDKGENNAND2X1( input A, input B, output Y );
    assign Y = ~(A & B);
endmodule
"""


def numbered_netlist(name, *, width=8, product="O", signed=False, wires="vector"):
    """An exact multiplier of cells, its wires in one vector or as `sig_<n>`.

    Signed: Baugh and Wooley's array, whose partial products of one sign bit are inverted.
    """
    count = 0
    body = []

    def wire():
        nonlocal count
        count += 1
        return f"N[{count - 1}]" if wires == "vector" else f"sig_{count - 1}"

    columns = [[] for _ in range(2 * width + 1)]
    for i in range(width):
        for j in range(width):
            out = wire()
            if signed and (i == width - 1) != (j == width - 1):
                body.append(
                    f"  PDKGENNAND2X1 n_{out_name(out)}(.A(A[{i}]), .B(B[{j}]), .Y({out}));"
                )
            else:
                body.append(f"  assign {out} = A[{i}] & B[{j}];")
            columns[i + j].append(out)
    if signed:
        columns[width].append("1'b1")
        columns[2 * width - 1].append("1'b1")
    for column in range(2 * width):
        bits = columns[column]
        while len(bits) > 1:
            taken, bits = bits[:3], bits[3:]
            total, carry = wire(), wire()
            cell = "PDKGENFAX1" if len(taken) == 3 else "PDKGENHAX1"
            pins = ", ".join(f".{pin}({net})" for pin, net in zip("ABC", taken, strict=False))
            body.append(f"  {cell} n_{out_name(total)}({pins}, .YS({total}), .YC({carry}));")
            bits.append(total)
            columns[column + 1].append(carry)
        body.append(
            f"  assign {product}[{column}] = {bits[0] if bits else chr(49) + chr(39) + 'b0'};"
        )
    if wires == "vector":
        declared = f"  wire [{count - 1}:0] N;"
    else:
        declared = f"  wire {', '.join(f'sig_{i}' for i in range(count))};"
    return "\n".join(
        [
            HEADER + CELLS,
            f"module {name}(A, B, {product});",
            f"  input [{width - 1}:0] A;",
            f"  input [{width - 1}:0] B;",
            f"  output [{2 * width - 1}:0] {product};",
            declared,
            *body,
            "endmodule",
            "",
        ]
    )


def out_name(net):
    """A name for the cell that drives a net."""
    return "".join(character for character in net if character.isalnum())
