/**
 * Makes the fixture of the present layout on disk: a devnet writes for a while, everything is killed with SIGKILL, and
 * one validator's directory is kept as it lies there, beside a packed tarball of the program that wrote it. Later
 * versions must open it for ever (`test/node/fixtures.test.ts`).
 *
 *     node scripts/make-fixture.ts test/fixtures/layout-1
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root, run } from './run.ts';

const WRITES_FOR_MS = 45_000;
const NODES = ['validator-1', 'validator-2', 'validator-3', 'validator-4', 'observer'];

const target = resolve(process.argv[2] ?? '');
if (process.argv[2] === undefined || existsSync(target)) {
  console.error('name a directory that does not exist yet: node scripts/make-fixture.ts test/fixtures/layout-N');
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), 'hotledger-fixture-'));
try {
  const net = join(work, 'net');
  await writeAndKill(net);
  mkdirSync(target, { recursive: true });
  for (const name of ['genesis.json', 'config.json', 'masa_oracle_key', 'bls_key', 'data/ledger']) {
    cpSync(join(net, 'validator-1', name), join(target, name), { recursive: true });
  }
  const packed = await run('npm', ['pack', root, '--silent'], { limitSeconds: 300, cwd: target });
  if (!packed.ok) throw new Error(packed.output);
  writeFileSync(join(target, 'README.md'), readme());
  console.log(`made ${target}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function writeAndKill(net: string): Promise<void> {
  const devnet = spawn(process.execPath, [join(root, 'bin', 'hotledger.js'), 'devnet', '--dir', net], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await delay(WRITES_FOR_MS);
  for (const name of NODES) process.kill(pidOf(join(net, name, 'data', 'addresses.json')), 'SIGKILL');
  devnet.kill('SIGKILL');
}

function pidOf(addressFile: string): number {
  return (JSON.parse(readFileSync(addressFile, 'utf8')) as { pid: number }).pid;
}

function readme(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return [
    '# A data directory as it was left by kill -9',
    '',
    `Written by hotledger ${version} (the tarball beside it): one validator of a devnet of four, killed in the middle of`,
    'its work. The keys are of that devnet and of nothing else. Never edited: later versions must open it.',
    '',
  ].join('\n');
}
