// Runs a WebAssembly test program under Node: `node run-wasi.mjs program.wasm [arguments]`.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [program, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [program, ...rest], env: process.env, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
// Left at once: some versions of Node crash when they clean up after a program.
process.reallyExit(wasi.start(instance));
