#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 node --max-semi-space-size=8 --heap-growing-percent=100
// Plain JavaScript on purpose: it has to run, and say what is wrong, on a Node that cannot run the program itself.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    'hotledger: error node-too-old: this is Node ' +
      process.versions.node +
      ', and hotledger needs 22.18 or newer.\n' +
      'In a checkout, "npm start" and "npx hotledger" use the Node that "npm ci" installed; else see https://nodejs.org.\n',
  );
  process.exitCode = 1;
} else {
  // Compiled code is kept beside the packages that it is of: half the time to start, 20 MB less. Where that place
  // cannot be written nothing is kept. Never in a directory that other users can write.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/hotledger', import.meta.url)));
  // A checkout runs its TypeScript directly; an installed package has only what was built from it.
  const source = new URL('../src/cli/main.ts', import.meta.url);
  const built = new URL('../dist/cli/main.js', import.meta.url);
  const { main } = await import(existsSync(source) ? source.href : built.href);
  process.exitCode = await main(process.argv.slice(2));
}
