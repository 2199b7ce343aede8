"""The evaluation: every figure belongs to its photograph, and the command writes the requested files."""

import dataclasses
import os
import re
import shutil

import cv2
import numpy as np
import pytest

from photochrom import OutputOptions, TrainingError, colorize_file
from photochrom.commands.main import main
from photochrom.training.evaluation import evaluate, metrics, report
from photochrom.training.evaluation import html_report as page
from photochrom.training.evaluation import lpips_fid as perceptual
from tests.helpers.evaluation import grey_of, strict


class TestEvaluate:
    def test_every_figure_belongs_to_its_photograph_and_kind(self, painters, photographs):
        found = evaluate.evaluate(painters, photographs)
        assert list(found.scores) == ["grey", *painters, "truth"]
        for i, photograph in enumerate(photographs):
            truth = evaluate.load(photograph)
            assert found.scores["truth"][i] == metrics.score(truth, truth, agrees=True)
            assert found.scores["grey"][i] == metrics.score(grey_of(truth), truth, agrees=False)
        oracle, grey = found.summary("oracle"), found.summary("grey")
        assert oracle.ciede2000_ratio < 0.15
        assert oracle.ssim > grey.ssim
        assert (grey.agreement, grey.recovered) == (0, 0)
        assert (oracle.agreement, oracle.recovered) == (1, 1)
        assert found.frechet["truth"] == pytest.approx(0, abs=1e-6)
        assert found.frechet["oracle"] < 1 < 1000 < found.frechet["grey"]
        assert found.fid == {}
        assert found.trials == {"oracle": [], "<i>orange|": []}

    def test_frechet_distances_do_not_depend_on_the_batches(self, painters, photographs, monkeypatch):
        by_three = evaluate.evaluate(painters, photographs).frechet
        monkeypatch.setattr(evaluate, "_BATCH", 1)
        assert evaluate.evaluate(painters, photographs).frechet == pytest.approx(by_three, abs=1e-6)

    def test_installed_metrics_are_measured(self, painters, photographs, monkeypatch):
        def lpips(picture, truth):
            return float(np.abs(picture.astype(int) - truth).mean())

        present = perceptual.Perceptual(lpips, lambda rgb: rgb.mean((0, 1)), {})
        monkeypatch.setattr(evaluate, "open_perceptual", lambda: present)
        monkeypatch.setattr(evaluate, "INCEPTION_FEATURES", 3)
        found = evaluate.evaluate(painters, photographs)
        assert found.summary("truth").lpips == 0
        assert found.summary("oracle").lpips < found.summary("grey").lpips
        assert found.fid == pytest.approx(found.frechet)
        assert "not measured" not in report.markdown(found)

    def test_each_photograph_is_coloured_once_and_those_shown_once_more(self, painters, photographs, tmp_path):
        found = evaluate.evaluate(painters, photographs, thumbnails=2)
        report.write_sheet(found.thumbnails, tmp_path / "sheet.png", columns=3)
        assert [p.calls for p in painters.values()] == [4, 4]
        assert cv2.imread(str(tmp_path / "sheet.png")).shape == (164, 3 * (4 * 160 + 12), 3)
        page.write_page(found, tmp_path / "page.html", {}, count=4)
        assert [p.calls for p in painters.values()] == [8, 8]

    def test_a_file_that_cannot_be_read_is_reported_and_left_out(self, painters, photographs, tmp_path):
        gone = dataclasses.replace(photographs[0], path=tmp_path / "gone.png")
        told = []
        found = evaluate.evaluate(painters, [gone, *photographs[1:]], skip=told.append)
        assert found.photographs == photographs[1:]
        assert {len(scores) for scores in found.scores.values()} == {3}
        assert ["gone.png: cannot be read" in str(exc) for exc in told] == [True]
        with pytest.raises(TrainingError, match="nothing was measured"):
            evaluate.evaluate(painters, [gone], skip=told.append)

    @pytest.mark.slow
    def test_a_limit_of_zero_is_refused(self, folder, capsys):
        assert main(["evaluate", str(folder), "--limit", "0"]) == 2
        assert "the limit is 0" in capsys.readouterr().err


class TestCommand:
    @pytest.mark.slow
    def test_all_requested_files_are_written_with_the_embedded_model(self, photographs, folder, tmp_path, capsys):
        outputs = [tmp_path / name for name in ("f.json", "s.png", "p.html")]
        flags = [f"--{kind}={path}" for kind, path in zip(("json", "sheet", "html"), outputs, strict=True)]
        flags += ["--limit", "2", "--full", "--frontier", "--html-size", "1", "--detail", "1.25"]
        assert main(["evaluate", str(folder), *flags]) == 0
        assert capsys.readouterr().out.startswith("2 photographs\n\n### Fidelity\n\n| picture | PSNR |")
        facts = strict(outputs[0].read_text())
        protocol = {"held_out": False, "limit": 2, "vividness": None, "detail": 1.25, "full": True}
        protocol |= {"folder": folder.name}
        assert facts["protocol"] | protocol == facts["protocol"]
        assert re.fullmatch(r"default \S+, sha256 [0-9a-f]{64}", facts["models"]["default"])
        assert [point["setting"] for point in facts["frontier"]["default"]["points"]] == [0, 0.2, 0.4, 0.6, 0.8, 1]
        assert all(np.isfinite(v) for v in facts["robustness"]["default"].values() if v is not None)
        assert outputs[1].stat().st_size > 1000
        assert outputs[2].read_text().startswith("<!DOCTYPE html>")

    def test_an_output_without_a_folder_is_refused_before_the_work(self, folder, capsys):
        assert main(["evaluate", str(folder), "--html", str(folder / "no" / "page.html")]) == 2
        assert "there is no folder" in capsys.readouterr().err

    def test_an_output_in_a_folder_without_permission_is_refused_before_the_work(self, folder, monkeypatch, capsys):
        """A stand-in is used, because tests may run as root, who can write into every folder."""
        monkeypatch.setattr(os, "access", lambda path, *_, **__: path != folder)
        assert main(["evaluate", str(folder), "--json", str(folder / "figures.json")]) == 2
        assert f"{folder}: cannot be written (Permission denied): ask for permission, or" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", ["json", "sheet", "html"])
    def test_an_output_that_is_a_folder_is_refused_before_the_work(self, kind, folder, tmp_path, capsys):
        assert main(["evaluate", str(folder), f"--{kind}", str(tmp_path), "--overwrite"]) == 2
        assert f"{tmp_path}: is a folder: give the name of a file in it" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", ["json", "sheet", "html"])
    def test_a_photograph_is_not_replaced_by_an_output(self, kind, folder, capsys):
        """Nor is a file written there that the next evaluation would take for a photograph."""
        path = folder / "new.png" if kind == "sheet" else next(folder.rglob("*.png"))
        assert main(["evaluate", str(folder), f"--{kind}", str(path), "--overwrite"]) == 2
        assert f"{path}: is in the folder of the photographs: choose another output" in capsys.readouterr().err

    def test_two_outputs_do_not_share_a_name(self, folder, tmp_path, capsys):
        outputs = ["--json", str(tmp_path / "x"), "--html", str(tmp_path / "a" / ".." / "x")]
        assert main(["evaluate", str(folder), *outputs]) == 2
        assert "two of --json, --sheet and --html name the same file" in capsys.readouterr().err

    def test_photographs_that_are_left_out_are_counted(self, photographs, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "set")
        said = []
        evaluate.chosen(tmp_path / "set", held_out=False, limit=10, note=said.append)
        assert said == []
        shutil.copy(tmp_path / "set" / "cats" / "chelsea.png", tmp_path / "set" / "cats" / "again.png")
        cv2.imwrite(str(tmp_path / "set" / "grey.png"), np.full((64, 64, 3), 99, np.uint8))
        assert len(evaluate.chosen(tmp_path / "set", held_out=False, limit=10, note=said.append)) == 4
        assert said == ["6 photographs, 4 usable; left out: 1 duplicate, 1 nearly grey"]

    @pytest.mark.parametrize("sidecar", [False, True])
    def test_own_outputs_are_left_out_and_counted(self, sidecar, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "set")
        source, said = tmp_path / "set" / "cats" / "chelsea.png", []
        output = OutputOptions(sidecar=sidecar)
        colorize_file(source, source.with_name("a.color.jpg"), output=output)
        kept = evaluate.chosen(tmp_path / "set", held_out=False, limit=10, note=said.append)
        assert (len(kept), said) == (4, ["5 photographs, 4 usable; left out: 1 made by Photochrom"])

    def test_a_folder_of_grey_photographs_is_refused(self, tmp_path):
        cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64, 3), 99, np.uint8))
        with pytest.raises(TrainingError, match=r"no colour photographs .*: give another folder of photographs"):
            evaluate.chosen(tmp_path, held_out=False, limit=10)

    @pytest.mark.slow
    def test_an_unreadable_photograph_is_named_and_the_others_are_measured(self, photographs, folder, tmp_path, capsys):
        shutil.copytree(folder, tmp_path / "set")
        for name in ("bad", "worse"):
            (tmp_path / "set" / f"{name}.jpg").write_bytes(b"\xff\xd8 nothing")
        assert main(["evaluate", str(tmp_path / "set")]) == 1
        said = capsys.readouterr()
        assert said.out.startswith("4 photographs\n")
        lines = [line for line in said.err.splitlines() if line.startswith("photochrom: ")]
        assert [line.split("/")[-1].split(":")[0] for line in lines] == ["bad.jpg", "worse.jpg"]

    @pytest.mark.slow
    @pytest.mark.parametrize(("name", "kind"), [("f.json", "json"), ("s.png", "sheet"), ("p.html", "html")])
    def test_existing_outputs_are_replaced_only_if_asked(self, name, kind, photographs, folder, tmp_path, capsys):
        (tmp_path / name).write_text("mine")
        arguments = ["evaluate", str(folder), "--limit", "1", f"--{kind}", str(tmp_path / name)]
        assert main(arguments) == 2
        assert f"{name}: exists: choose another output, or --overwrite" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "mine"
        assert main([*arguments, "--overwrite"]) == 0
        assert (tmp_path / name).read_bytes() != b"mine"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_device_or_a_pipe_is_not_replaced(self, tmp_path, capsys):
        os.mkfifo(tmp_path / "pipe")
        assert main(["evaluate", str(tmp_path), "--json", str(tmp_path / "pipe"), "--overwrite"]) == 2
        assert "pipe: is a device or a pipe: name a file" in capsys.readouterr().err

    def test_a_sheet_is_a_png(self, folder, tmp_path, capsys):
        assert main(["evaluate", str(folder), "--sheet", str(tmp_path / "sheet.jpg")]) == 2
        assert "sheet.jpg: a sheet is a PNG file" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["sheet", "html"])
    def test_a_size_needs_the_file_whose_size_it_is(self, name, folder, tmp_path, capsys):
        assert main(["evaluate", str(folder), f"--{name}-size", "3"]) == 2
        assert f"--{name}-size belongs to --{name}" in capsys.readouterr().err
        assert main(["evaluate", str(folder), f"--{name}-size", "0", f"--{name}", str(tmp_path / "a.png")]) == 2
        assert f"--{name}-size is a number of photographs: give at least 1" in capsys.readouterr().err

    @pytest.mark.slow
    def test_a_missing_folder_and_a_missing_model_are_named(self, tmp_path, capsys):
        assert main(["evaluate", str(tmp_path / "nothing")]) == 1
        assert "nothing: does not exist: give a folder of photographs" in capsys.readouterr().err
        (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
        assert main(["evaluate", str(tmp_path), "--model", "nope"]) == 1
        said = capsys.readouterr().err
        assert "no model 'nope'" in said
        assert said.count("\n") == 1, "the model is looked for before the photographs are"
