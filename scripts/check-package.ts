/**
 * Packs the package, installs the tarball in an empty folder as a user would, runs a whole network from there, and
 * imports every entry point, at run time and in the eyes of the compiler.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run, type RunOptions } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'hotledger-package-'));
const here: RunOptions = { limitSeconds: 240, cwd: folder };
const { version, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  exports: Record<string, unknown>;
};

try {
  await must('npm', ['pack', root, '--silent']);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'reader', private: true, type: 'module' }));
  await must('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./hotledger-${version}.tgz`]);

  const hotledger = (...args: string[]): Promise<string> => must(join('node_modules', '.bin', 'hotledger'), args);
  const help = await hotledger('--help');
  if (!/usage: hotledger/i.test(help)) throw new Error(`hotledger --help does not print its usage:\n${help}`);
  const shown = await hotledger('--version');
  if (shown.trim() !== version) throw new Error(`hotledger --version says ${shown}, the package is ${version}`);
  await hotledger('testnet', '--out', 'net');
  // Five processes, each with a verification worker, from what was built: exits with 0 only when all is well.
  await hotledger('devnet', '--duration', '10s', '--json');

  const entries = Object.keys(exports)
    .filter((entry) => entry !== './package.json' && !entry.includes('*'))
    .map((entry) => entry.replace('.', 'hotledger'));
  const imports = entries.map((entry, i) => `import * as entry${i} from '${entry}';\nvoid entry${i};`).join('\n');
  writeFileSync(join(folder, 'reader.ts'), `${imports}\n`);
  await must('node', ['reader.ts']);
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck'];
  await must('tsc', [...options, 'reader.ts']);
  console.log(
    `hotledger-${version}.tgz installs, runs a network, and its ${entries.length} entry points load and typecheck`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function must(command: string, args: readonly string[]): Promise<string> {
  const { ok, output } = await run(command, args, here);
  if (!ok) throw new Error(`${command} ${args.join(' ')}\n${output}`);
  return output;
}
