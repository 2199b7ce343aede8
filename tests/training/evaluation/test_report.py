"""Files of an evaluation: tables, JSON, sheets, and a page."""

import base64
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from photochrom import ColorOptions, TrainingError
from photochrom.training.evaluation import evaluate, report
from photochrom.training.evaluation import html_report as page
from tests.helpers.evaluation import HOSTILE, SHA1, Painter, chroma_of, scores, strict


class TestReport:
    @pytest.fixture
    def found(self, painters, photographs):
        return evaluate.evaluate(painters, photographs, full=True)

    def test_tables_have_a_row_for_each_kind_and_say_what_is_not_measured(self, found):
        text = report.markdown(found)
        assert re.findall(r"^### (.*)", text, re.M) == ["Fidelity", "Colour and meaning", "Robustness"]
        for table in report.tables(found):
            assert [row[0] for row in table.rows] in (["grey", *found.colorizers, "truth"], list(found.colorizers))
            assert {len(row) for row in table.rows} == {len(table.columns)}
        assert "LPIPS: not measured (no <weights>: get them)" in text
        assert "FID: not measured (no weights either)" in text
        assert "compare only those of 4 photographs" in text
        assert "nan" not in text
        assert "inf" not in text
        assert r"| <i>orange\| |" in text

    def test_several_models_are_compared_with_the_first_and_one_is_not(self, painters, photographs):
        found = evaluate.evaluate(painters, photographs)
        table = report.tables(found)[0]
        assert table.columns[-1] == "CIEDE2000 - oracle's"
        difference = found.differences()["<i>orange|"]
        assert [row[-1] for row in table.rows] == ["-", "-", str(difference), "-"]
        facts = report.facts(found, {})["differences"]
        assert facts == {
            "<i>orange|": {**dataclasses.asdict(difference), "from": "oracle", "clear": difference.is_clear}
        }
        assert difference.ciede2000 > 5
        alone = evaluate.evaluate({"oracle": painters["oracle"]}, photographs)
        assert report.tables(alone)[0].columns[-1] == "LPIPS"
        assert report.facts(alone, {})["differences"] == {}

    def test_the_protocol_identifies_the_set_of_photographs_whatever_its_order(self, found):
        def digest(photographs):
            return report.facts(dataclasses.replace(found, photographs=photographs), {})["protocol"]["sha256"]

        first, *others = found.photographs
        assert re.fullmatch("[0-9a-f]{64}", digest(found.photographs))
        assert digest(found.photographs) == digest([*others, first])
        changed = dataclasses.replace(first, sha1=SHA1), dataclasses.replace(first, path=first.path.with_name("x.png"))
        assert len({digest(found.photographs), *(digest([other, *others]) for other in changed)}) == 3

    def test_without_the_trials_there_is_no_table_of_them(self, painters, photographs):
        quick = evaluate.evaluate(painters, photographs)
        assert [table.title for table in report.tables(quick)] == ["Fidelity", "Colour and meaning"]
        assert report.facts(quick, {})["robustness"] == {}

    def test_the_frontier_has_every_setting_and_the_colourfulness_to_compare_at(self, known, photographs, tmp_path):
        def paint(luma, options):  # half the true chroma at vividness 0, all of it at 1
            share = 0.5 + options.vividness / 2
            return tuple(np.rint(128 + share * (c - 128.0)).astype(np.uint8) for c in chroma_of(known[luma.tobytes()]))

        found = evaluate.evaluate({"dialled": Painter(paint)}, photographs, ColorOptions(vividness=1.0), frontier=True)
        (table,) = (table for table in report.tables(found) if table.title == "Frontier")
        assert [row[1] for row in table.rows[:6]] == [f"vividness {v / 5:.2f}" for v in range(6)]
        assert table.rows[5][2] == "1.00"
        assert float(table.rows[5][3]) < 0.1
        assert [row[1][:10] for row in table.rows[6:]] == ["at CF 0.72", "at CF 0.91"]
        assert [row[2] for row in table.rows[6:]] == ["0.72", "0.91"]
        assert float(table.rows[7][3]) < float(table.rows[6][3])
        facts = report.facts(found, {})["frontier"]["dialled"]
        assert facts["dial"] == "vividness"
        assert len(facts["points"]) == 6
        assert facts["at"]["0.91"]["colorfulness_ratio"] == pytest.approx(0.91)
        page.write_page(found, tmp_path / "page.html", {}, 1)
        assert "<h2>Frontier</h2>" in (tmp_path / "page.html").read_text()

    def test_a_dial_that_does_not_reach_leaves_dashes(self, painters, photographs):
        found = evaluate.evaluate(painters, photographs, frontier=True)
        (table,) = (table for table in report.tables(found) if table.title == "Frontier")
        assert table.rows[-1][1:] == ["at CF 0.91", "0.91", "-", "-"]
        assert report.facts(found, {})["frontier"]["<i>orange|"]["at"] == {"0.72": None, "0.91": None}

    def test_a_model_without_confidence_has_dashes(self, found):
        (table,) = (table for table in report.tables(found) if table.title == "Robustness")
        by_name = {row[0]: row[-4:-2] for row in table.rows}
        assert by_name["<i>orange|"] == ["-", "-"]
        assert by_name["oracle"] == ["1.000", "1.000"]

    def test_json_holds_everything_and_no_nan(self, found, tmp_path):
        report.write_json(found, tmp_path / "figures.json", {"held_out": False})
        facts = strict((tmp_path / "figures.json").read_text())
        assert facts["protocol"]["held_out"] is False
        assert facts["protocol"]["least_colorfulness"] == 15
        assert facts["photographs"] == 4
        assert facts["models"]["oracle"] == "painter 1, sha256 0"
        assert facts["scores"]["truth"]["psnr"] is None
        assert facts["scores"]["oracle"]["frechet_lite1"] == found.frechet["oracle"]
        assert set(facts["robustness"]) == set(found.colorizers)
        assert facts["not_measured"]["LPIPS"] == "no <weights>: get them"

    def test_sources_have_their_own_ratios(self, found):
        sources = report.sources(found)
        assert {name: facts["photographs"] for name, facts in sources.items()} == {HOSTILE: 2, "cats": 2}
        rows = [i for i, p in enumerate(found.photographs) if p.source == "cats"]
        own, grey = (np.mean([found.scores[k][i].ciede2000 for i in rows]) for k in ("oracle", "grey"))
        assert sources["cats"]["ciede2000_ratio"]["oracle"] == pytest.approx(own / grey)

    def test_pictures_that_leave_everything_undefined_are_still_written(self, painters, photographs, tmp_path):
        grey = dataclasses.replace(photographs[0], path=tmp_path / "grey.png", sha1=SHA1)
        cv2.imwrite(str(grey.path), np.full((64, 64, 3), 99, np.uint8))
        found = evaluate.evaluate(painters, [grey], full=True)
        report.write_json(found, tmp_path / "figures.json", {})
        page.write_page(found, tmp_path / "page.html", {})
        facts = strict((tmp_path / "figures.json").read_text())
        assert facts["scores"]["oracle"]["ciede2000_ratio"] is None
        assert "nan" not in report.markdown(found)

    def test_a_disk_that_refuses_a_write_is_named(self, found, tmp_path):
        with pytest.raises(TrainingError, match=r"nothing.f\.json: cannot be written \(No such file.*\): make room"):
            report.write_json(found, tmp_path / "nothing" / "f.json", {})


VOID = {"meta", "img", "link", "br"}


class Reader(HTMLParser):
    """Collects tags and attributes; fails where tags do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text += text


class TestPage:
    @pytest.fixture
    def read(self, painters, photographs, tmp_path):
        found = evaluate.evaluate(painters, photographs, full=True)
        page.write_page(found, tmp_path / "page.html", {"held_out": True, "vividness": None}, count=2)
        reader = Reader()
        reader.feed((tmp_path / "page.html").read_text())
        assert reader.open == []
        return reader

    def test_names_are_text_and_not_markup(self, read):
        assert not {"i", "weights"} & {tag for tag, _ in read.tags}
        for name in (HOSTILE, "<i>orange|", "LPIPS: not measured (no <weights>: get them)", "held out"):
            assert name in read.text
        assert any(attrs.get("alt") == f"{HOSTILE}/coffee.png: <i>orange|" for _, attrs in read.tags)

    def test_names_that_are_not_text_are_shown_as_far_as_they_are(self, painters, photographs, tmp_path):
        found = evaluate.evaluate(painters, [dataclasses.replace(photographs[0], source="caf\udce9")])
        page.write_page(found, tmp_path / "page.html", {})
        assert "caf?/" in (tmp_path / "page.html").read_text()

    def test_the_page_loads_nothing_from_elsewhere(self, read):
        addresses = [a[k] for _, a in read.tags for k in ("src", "href", "srcset", "action") if k in a]
        assert addresses
        assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses)
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in read.tags}
        template = Path(page.__file__).with_name("report.html.j2").read_text()
        assert "url(" not in template
        assert "@import" not in template
        ids = {a["id"] for _, a in read.tags if "id" in a}
        assert {address[1:] for address in addresses if address.startswith("#")} <= ids

    def test_each_section_has_its_photographs_with_every_kind(self, read):
        images = [a for tag, a in read.tags if tag == "img"]
        assert len(images) == 5 * 2 * 4  # best and worst of two models, and random ones
        assert {a["loading"] for a in images} == {"lazy"}
        first = np.frombuffer(base64.b64decode(images[0]["src"].split(",")[1]), np.uint8)
        assert cv2.imdecode(first, cv2.IMREAD_COLOR).shape == (64, 64, 3)

    def test_the_best_come_first_and_the_worst_last(self):
        grey = [scores(ciede2000=10.0)] * 3 + [scores(ciede2000=0.0)]
        assert page._ranked([scores(ciede2000=c) for c in (9.0, 3.0, 12.0, 1.0)], grey) == [1, 0, 2]
