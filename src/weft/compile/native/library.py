"""Kernels by name: compiled when first asked for, shared by every program.

A kernel's text says nothing of sizes, strides or rates, which are its run-time
arguments; so the second network of a kind finds all its kernels here. One process has
one `Library` per target; what is in it stays for good, and on disk for the next one.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, final

from weft.compile.native.cache import Cache, default_folder
from weft.compile.native.functions.symbols import symbols
from weft.compile.native.target import Target, target


@final
@dataclass(frozen=True)
class Kernel:
    """The text of a kernel.

    Parameters
    ----------
    name : str
        Names its text: two kernels of one name are the same.
    text : str
        LLVM's language, with the function called `name`.
    declarations : frozenset of str
        What it calls outside.
    """

    name: str
    text: str = field(repr=False)
    declarations: frozenset[str] = field(default=frozenset(), repr=False)


@final
class Library:
    """Compiled kernels of one target.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.target = target
        self._llvm = llvm
        self._machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=target.cpu, features=target.features, opt=2, jit=True
        )
        self._jit = llvm.create_lljit_compiler(self._machine)
        self._cache = Cache(default_folder())
        self._made_by = f"{llvm.llvm_version_info} {llvm.get_default_triple()} {target}"
        self._addresses: dict[str, int] = {}
        self._modules: list[Any] = []
        self._modules_made = 0
        self._lock = threading.Lock()

    def addresses(self, kernels: Iterable[Kernel]) -> dict[str, int]:
        """Return where each kernel is, compiling those that are not there yet.

        Parameters
        ----------
        kernels : iterable of Kernel

        Returns
        -------
        dict of str to int
        """
        wanted = {kernel.name: kernel for kernel in kernels}
        with self._lock:
            missing = [k for k in wanted.values() if k.name not in self._addresses]
            if missing:
                self._compile(missing)
            return {name: self._addresses[name] for name in wanted}

    def _compile(self, kernels: list[Kernel]) -> None:
        builder = self._llvm.JITLibraryBuilder()
        for kernel in kernels:
            builder.add_object_img(self._object(kernel))
            builder.export_symbol(kernel.name)
            for name, address in symbols(kernel.declarations).items():
                builder.import_symbol(name, address)
        builder.add_current_process()
        # A name is used up even if the compilation is interrupted.
        self._modules_made += 1
        module = builder.link(self._jit, f"weft{self._modules_made}")
        self._modules.append(module)
        for kernel in kernels:
            self._addresses[kernel.name] = module[kernel.name]

    def _object(self, kernel: Kernel) -> bytes:
        text = module_text(kernel, self.target)

        def make() -> bytes:
            module = self._llvm.parse_assembly(text)
            return bytes(self._machine.emit_object(module))

        return self._cache.get(f"{self._made_by}\n{text}", make)


def module_text(kernel: Kernel, target: Target) -> str:
    """Return a kernel as a module of LLVM's language.

    Examples
    --------
    >>> kernel = Kernel("nothing", 'define void @"nothing"() #0 { ret void }')
    >>> print(module_text(kernel, target()).splitlines()[0])
    define void @"nothing"() #0 { ret void }
    """
    # Without these two, LLVM splits wide vectors on machines that would rather not.
    width = target.vector_bytes * 8
    attributes = (
        f'attributes #0 = {{ nounwind "min-legal-vector-width"="{width}" '
        f'"prefer-vector-width"="{width}" }}'
    )
    return "\n".join([kernel.text, *sorted(kernel.declarations), attributes])


@cache
def library(name: str | None = None) -> Library:
    """Return this process's kernels for a target, the default one if not named."""
    return Library(target(name))
