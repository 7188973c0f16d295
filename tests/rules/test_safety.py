"""No code runs because a file says so, and nothing prints but the doors."""

import ast

RUNNING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Libraries whose files are programs."""
LOADING = {"torch.load", "torch.save", "torch.hub.load", "yaml.load", "yaml.full_load", "yaml.unsafe_load"}
TALKING = ("cli/", "verbs/", "training/console.py")
"""What speaks to a person; the last is the terminal of a training run. All else returns, yields or raises."""


def _calls(modules):
    """Every call, with the dotted name that is called."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                yield module, node, ast.unparse(node.func)


def test_no_file_is_unpickled(modules):
    imported = []
    for module in modules:
        for node in ast.walk(module.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [module.at(node) for name in names if name.split(".")[0] in RUNNING]
    assert imported == []


def test_no_file_is_loaded_by_what_unpickles(modules):
    found = []
    for module, call, name in _calls(modules):
        allowed = [ast.unparse(word.value) for word in call.keywords if word.arg == "allow_pickle"]
        if name in LOADING or allowed not in ([], ["False"]):
            found.append(module.at(call))
    assert found == []


def test_no_text_is_run(modules):
    running = {"eval", "exec", "compile", "os.system", "os.popen"}
    shell = [module.at(call) for module, call, _ in _calls(modules) for word in call.keywords if word.arg == "shell"]
    assert shell + [module.at(call) for module, call, name in _calls(modules) if name in running] == []


def test_only_the_doors_print(modules):
    places = [module.at(call) for module, call, name in _calls(modules) if name == "print"]
    assert [place for place in places if not place.removeprefix("src/seqwise/").startswith(TALKING)] == []
