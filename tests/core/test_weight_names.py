"""Names of weight files: quantisation, parts, and the file of a repository that is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.weight_names import (
    HubReference,
    Incomplete,
    NoSuchQuant,
    RepositoryFile,
    WeightSet,
    choose_set,
    is_weights,
    ollama_page,
    parse_reference,
    quant_of,
    same_quant,
    split_part,
    weight_sets,
    without_quant,
)

GIB = 2**30


def file(name: str, size: int = 1) -> RepositoryFile:
    return RepositoryFile(name, size, "ab" * 32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf:me/Tiny-GGUF", HubReference("me/Tiny-GGUF")),
        ("hf:me/Tiny-GGUF:q4_k_m", HubReference("me/Tiny-GGUF", "q4_k_m")),
        ("HF:me/Tiny.v2_GGUF:UD-Q4_K_XL", HubReference("me/Tiny.v2_GGUF", "UD-Q4_K_XL")),
        ("hf.co/me/Tiny-GGUF:Q8_0", HubReference("me/Tiny-GGUF", "Q8_0")),
        ("https://huggingface.co/me/Tiny-GGUF/", HubReference("me/Tiny-GGUF")),
        ("https://huggingface.co/me/Tiny-GGUF/tree/main", HubReference("me/Tiny-GGUF")),
        (" hf:me/Tiny-GGUF ", HubReference("me/Tiny-GGUF")),
        ("hf:me/Tiny_v2-GGUF:latest", HubReference("me/Tiny_v2-GGUF")),
        ("hf://me/Tiny\\_v2-GGUF:Q4\\_K\\_M", HubReference("me/Tiny_v2-GGUF", "Q4_K_M")),
        ("huggingface://me/Tiny-GGUF:Q8_0", HubReference("me/Tiny-GGUF", "Q8_0")),
        ("http://www.huggingface.co/me/Tiny-GGUF", HubReference("me/Tiny-GGUF")),
        ("https://hf-mirror.com/me/Tiny-GGUF?show_file_info=x.gguf#files", HubReference("me/Tiny-GGUF")),
        (
            "https://huggingface.co/me/Tiny-GGUF/resolve/main/Tiny-Q8_0.gguf?download=true",
            HubReference("me/Tiny-GGUF", "Q8_0"),
        ),
        (
            "https://huggingface.co/me/Tiny-GGUF/blob/main/UD-Q4_K_XL/Tiny-UD-Q4_K_XL-00001-of-00002.gguf",
            HubReference("me/Tiny-GGUF", "UD-Q4_K_XL"),
        ),
        ("https://huggingface.co/me/Tiny-GGUF/blob/main/mmproj-F16.gguf", HubReference("me/Tiny-GGUF")),
        ("https://huggingface.co/me/Tiny-GGUF/blob/main/README.md", HubReference("me/Tiny-GGUF")),
        ("hf:me/Tiny-GGUF/Tiny-Q5_K_M.gguf", HubReference("me/Tiny-GGUF", "Q5_K_M")),
        ("hf:me/Tiny-GGUF:Tiny-Q5_K_M.gguf", HubReference("me/Tiny-GGUF", "Q5_K_M")),
        ("hf:me/Tiny-GGUF:Q5_K_M.gguf", HubReference("me/Tiny-GGUF", "Q5_K_M")),
        ("hf:me/Tiny-GGUF:tiny.gguf", HubReference("me/Tiny-GGUF")),
        ("me/Tiny-GGUF", None),
        ("hf:Tiny", None),
        ("hf:", None),
        ("hf:../..", None),
        ("hf:me/-", None),
        ("qwen3:8b", None),
    ],
)
def test_a_reference_names_a_repository_and_a_quantisation(name: str, expected: HubReference | None) -> None:
    assert parse_reference(name) == expected


@pytest.mark.parametrize("name", ["hf:me/Tiny-GGUF", "hf:me/Tiny-GGUF:Q4_K_M"])
def test_a_reference_is_spelled_as_it_is_typed(name: str) -> None:
    assert str(parse_reference(name)) == name


@given(st.text(max_size=60))
def test_a_reference_reads_its_own_spelling(text: str) -> None:
    found = parse_reference(f"hf:{text}")
    assert found is None or parse_reference(str(found)) == found


@pytest.mark.parametrize(
    ("stem", "quant", "model"),
    [
        ("Qwen3-8B-Q4_K_M", "Q4_K_M", "Qwen3-8B"),
        ("qwen2.5-coder-7b-instruct-q4_k_m", "Q4_K_M", "qwen2.5-coder-7b-instruct"),
        ("gpt-oss-20b-mxfp4", "MXFP4", "gpt-oss-20b"),
        ("Nemotron-3-Nano-30B-A3B-NVFP4", "NVFP4", "Nemotron-3-Nano-30B-A3B"),
        ("Qwen3.6-27B-MTP-NVFP4_MOE", "NVFP4_MOE", "Qwen3.6-27B-MTP"),
        ("Qwen3-Coder-30B-A3B-Instruct-UD-Q4_K_XL", "UD-Q4_K_XL", "Qwen3-Coder-30B-A3B-Instruct"),
        ("Model.IQ3_XXS", "IQ3_XXS", "Model"),
        ("Big-Q8_0-00001-of-00003", "Q8_0", "Big"),
        ("bartowski_Qwen3-8B-GGUF_Qwen3-8B-Q6_K", "Q6_K", "Qwen3-8B"),
        ("ggml-model-f16", "F16", "ggml-model"),
        ("SmolLM2-135M-Instruct", "", "SmolLM2-135M-Instruct"),
    ],
)
def test_a_name_tells_its_quantisation_and_its_model(stem: str, quant: str, model: str) -> None:
    assert (quant_of(stem), without_quant(stem)) == (quant, model)


def test_parts_are_told_apart() -> None:
    assert split_part("Big-Q8_0-00002-of-00003") == ("Big-Q8_0", 2, 3)
    assert split_part("Big-Q8_0") == ("Big-Q8_0", 1, 1)


@pytest.mark.report("B309")
@pytest.mark.parametrize(
    "name",
    ["mmproj-F16.gguf", "a/mmproj-model-Q8_0.gguf", "Model-imatrix.gguf", "Qwen-draft-Q4_0.gguf", "README.md", "x.bin",
     "some-lora-f16.gguf", "mtp-Qwen3.6-27B.gguf", "MTP/Qwen3.6-27B-Q8_0.gguf", "gemma-4-12B-it-MTP.gguf",
     "Qwen3.6-27B-DFlash-Q8_0.gguf", "gpt-oss-20b-EAGLE3-Q8_0.gguf"],
)  # fmt: skip
def test_what_goes_with_a_model_is_none(name: str) -> None:
    assert not is_weights(name)


def test_a_model_with_its_own_heads_to_draft_with_is_one() -> None:
    assert is_weights("Qwen3.6-27B-MTP-IQ4_KS.gguf")
    assert is_weights("Qwen3.6-35B-A3B-MTP-UD-Q4_K_XL-00001-of-00002.gguf")


@pytest.mark.report("B309")
def test_the_quantisation_is_chosen_by_the_budget_and_not_by_its_place_in_the_list() -> None:
    files = [
        file("mmproj-F16.gguf"),
        file("M-F16.gguf", 16 * GIB),
        file("M-Q8_0.gguf", 8 * GIB),
        file("M-Q4_K_M.gguf", 5 * GIB),
        file("M-Q2_K.gguf", 3 * GIB),
    ]
    sets = weight_sets(files)

    def chosen(budget: int | None) -> str:
        found = choose_set(sets, "", budget)
        assert isinstance(found, WeightSet)
        return found.quant

    assert {budget: chosen(budget and budget * GIB) for budget in (None, 24, 5, 4, 1)} == {
        None: "Q4_K_M",
        24: "Q4_K_M",
        5: "Q4_K_M",
        4: "Q2_K",
        1: "Q2_K",
    }


@pytest.mark.report("B300")
def test_a_split_model_is_all_of_its_parts_in_order() -> None:
    parts = [file(f"Q8_0/Big-Q8_0-0000{number}-of-00003.gguf", number) for number in (3, 1, 2)]
    whole = WeightSet("Q8_0/Big-Q8_0", "Q8_0", (parts[1], parts[2], parts[0]))
    assert weight_sets(parts) == (whole,)
    assert (whole.size_bytes, choose_set((whole,), "q8_0")) == (6, whole)


@pytest.mark.report("B300")
def test_a_set_with_a_part_missing_is_refused() -> None:
    sets = weight_sets([file("Big-Q8_0-00001-of-00003.gguf"), file("Big-Q8_0-00003-of-00003.gguf")])
    assert sets == (Incomplete("Big-Q8_0", 2, 3),)
    assert choose_set(sets, "Q8_0") == choose_set(sets, "") == Incomplete("Big-Q8_0", 2, 3)


@pytest.mark.parametrize(
    ("quant", "name"),
    [
        ("q4_k_m", "M-Q4_K_M.gguf"),
        ("Q4-K-M", "M-Q4_K_M.gguf"),
        ("Q4_K_XL", "M-UD-Q4_K_XL.gguf"),
        ("UD-Q4_K_M", "M-Q4_K_M.gguf"),
        ("mxfp4", "M-MXFP4_MOE.gguf"),
        ("bf16", "M-BF16.gguf"),
    ],
)
def test_a_quantisation_is_found_in_every_spelling(quant: str, name: str) -> None:
    names = ["M-Q4_K_M.gguf", "M-UD-Q4_K_XL.gguf", "M-MXFP4_MOE.gguf", "M-BF16.gguf", "M-F16.gguf"]
    found = choose_set(weight_sets(map(file, names)), quant)
    assert isinstance(found, WeightSet)
    assert found.files == (file(name),)


def test_the_exact_spelling_wins_over_the_like() -> None:
    found = choose_set(weight_sets([file("M-UD-Q4_K_M.gguf"), file("M-Q4_K_M.gguf")]), "UD-Q4_K_M")
    assert isinstance(found, WeightSet)
    assert found.quant == "UD-Q4_K_M"


def test_an_unknown_quantisation_names_the_known_ones_smallest_first() -> None:
    sets = weight_sets([file("M-Q8_0.gguf", 8), file("M-Q2_K.gguf", 2)])
    assert choose_set(sets, "Q5_1") == NoSuchQuant(("Q2_K", "Q8_0"))
    assert choose_set((), "") == NoSuchQuant(())


def test_sixteen_bits_are_of_two_kinds() -> None:
    assert not same_quant("BF16", "F16")
    assert same_quant("FP16", "f16")


@given(st.lists(st.from_regex(r"[A-Za-z0-9./_-]{0,30}\.gguf", fullmatch=True), max_size=8), st.text(max_size=8))
def test_any_repository_gives_an_answer(names: list[str], quant: str) -> None:
    found = choose_set(weight_sets(map(file, names)), quant)
    assert not isinstance(found, WeightSet) or set(found.files) <= set(map(file, names))


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("https://ollama.com/library/qwen3:8b", "qwen3:8b"),
        ("ollama.com/library/qwen3", "qwen3"),
        ("ollama://qwen3:8b", "qwen3:8b"),
        ("ollama://library/qwen3", "qwen3"),
        ("ollama:qwen3", ""),
        ("https://ollama.com/me/tiny:latest/", "me/tiny:latest"),
        ("https://ollama.com/library/../../etc", ""),
        ("https://ollama.com.evil.example/library/qwen3", ""),
        ("https://ollama.com/", ""),
        ("qwen3:8b", ""),
    ],
)
def test_a_page_of_ollamas_library_names_a_tag(name: str, tag: str) -> None:
    assert ollama_page(name) == tag


@pytest.mark.parametrize("name", ["._Tiny-Q4_K_M.gguf", "Q4/._Tiny-Q4_K_M-00001-of-00002.gguf"])
def test_what_macos_lays_beside_a_file_on_exfat_is_no_model(name: str) -> None:
    assert not is_weights(name)
    assert is_weights(name.replace("._", ""))
