"""Lists of customers as spreadsheets save them."""

import pytest

from enrollments.uploaded import MOST_ROWS, UnusableList, read_list


def named(content):
    return [(each.line, each.text, each.number) for each in read_list(content)]


@pytest.mark.parametrize(
    "content",
    [
        b"17\nA-1\n",
        b"\xef\xbb\xbf17\r\nA-1\r\n",
        b"17;\r\nA-1;\r\n",
        b"17,\nA-1,\n",
        b'"17"\n"A-1"',
        b" 17 \n A-1 ",
    ],
)
def test_list_is_read_however_a_spreadsheet_has_saved_it(content):
    assert named(content) == [(1, "17", 17), (2, "A-1", None)]


def test_blank_lines_are_passed_over_and_lines_keep_their_numbers():
    assert named(b"\n;\n17\n\n18\n;;\n") == [(3, "17", 17), (5, "18", 18)]


@pytest.mark.parametrize(
    ("heading", "number"), [("customerId", 17), ("Customer ID", 17), ("external_id", None), ("customer", 17)]
)
def test_heading_says_what_the_column_has(heading, number):
    assert named(f"{heading}\n17\n".encode()) == [(2, "17", number)]


@pytest.mark.parametrize("text", ["007", "-17", "4.2E+08", "１７", "9" * 30])
def test_what_people_do_not_write_as_a_customer_id_is_an_external_id(text):
    assert named(text.encode()) == [(1, text, None)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The file names no customer."),
        (b"customerId\n", "The file names no customer."),
        (b"\xff\xfe1\x007\x00", "The file is no text in UTF-8: save it as “CSV UTF-8”."),
        (b"17\n18,19\n", "Line 2: one column is expected, and there are more."),
        (b"17;x\n", "Line 1: one column is expected, and there are more."),
        (b",17\n", "Line 1: one column is expected, and there are more."),
        (b"17\nA\x00B\n", "Line 2: there are control characters in it."),
        (b'17\n"A\nB"\n', "Line 2: there are control characters in it."),
        (b"customerId\n17\nA-1\n", "Line 3: “A-1” is no customer id, a whole number from 1 to 2^63-1."),
        (b"customerId\n0\n", "Line 2: “0” is no customer id, a whole number from 1 to 2^63-1."),
        (b"A" * 101, "Line 1: it is longer than 100 characters."),
        (b'17\n"18\n', "Line 2: this is no CSV (unexpected end of data)."),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_nothing_is_taken(content, problem):
    with pytest.raises(UnusableList) as refused:
        read_list(content)

    assert refused.value.problems == (problem,)


def test_of_many_lines_at_fault_the_first_are_named_and_the_others_counted():
    with pytest.raises(UnusableList) as refused:
        read_list(b"17\n" + b"1,2\n" * 23)

    problems = refused.value.problems
    assert (len(problems), problems[0][:8], problems[-1]) == (21, "Line 2: ", "And 3 more lines like these.")


def test_list_has_at_most_so_many_lines():
    content = b"\n".join(b"%d" % number for number in range(1, MOST_ROWS + 1))

    assert len(read_list(content)) == MOST_ROWS
    with pytest.raises(UnusableList, match="more than 50,000 customers: divide it"):
        read_list(content + b"\n77777777")
