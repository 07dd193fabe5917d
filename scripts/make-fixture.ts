/**
 * Makes the fixture of the present layout on disk: a devnet writes for a while, everything is killed with SIGKILL, and
 * one validator's directory is kept as it lies there, beside a packed tarball of the program that wrote it. Later
 * versions must open it for ever (`test/node/fixtures.test.ts`).
 *
 *     node scripts/make-fixture.ts test/fixtures/layout-1
 *     node scripts/make-fixture.ts test/fixtures/layout-1-raft raft    # of a member of a Raft cluster
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { root, run } from './run.ts';

/** What the kept validator holds when everything is killed. */
const ENOUGH = { height: 14, acknowledged: 60 };
const NODES = ['validator-1', 'validator-2', 'validator-3', 'validator-4', 'observer'];

const consensus = process.argv[3] ?? 'hotstuff';
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
  for (const name of ['genesis.json', 'config.json', 'masa_oracle_key', 'bls_key', 'data/ledger', 'data/raft']) {
    if (existsSync(join(net, 'validator-1', name)))
      cpSync(join(net, 'validator-1', name), join(target, name), { recursive: true });
  }
  // The program of a layout is packed once.
  if (consensus === 'hotstuff') {
    const packed = await run('npm', ['pack', root, '--silent'], { limitSeconds: 300, cwd: target });
    if (!packed.ok) throw new Error(packed.output);
  }
  writeFileSync(join(target, 'README.md'), readme());
  console.log(`made ${target}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function writeAndKill(net: string): Promise<void> {
  const command = [join(root, 'bin', 'hotledger.js'), 'devnet', '--consensus', consensus, '--dir', net];
  const devnet = spawn(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // The line that a devnet prints every few seconds: the heights of its nodes, and what was acknowledged.
  for await (const line of createInterface(devnet.stdout)) {
    console.log(line);
    const [, height, acknowledged] = / heights (\d+) .* acknowledged (\d+) of /.exec(line) ?? [];
    if (Number(height) >= ENOUGH.height && Number(acknowledged) >= ENOUGH.acknowledged) break;
  }
  const running = NODES.filter((name) => existsSync(join(net, name, 'data', 'addresses.json')));
  for (const name of running) process.kill(pidOf(join(net, name, 'data', 'addresses.json')), 'SIGKILL');
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
    `Written by hotledger ${version} (the tarball ${consensus === 'raft' ? 'of the fixture without "-raft"' : 'beside it'}): one validator of a devnet of ${consensus}, killed in the middle of`,
    'its work. The keys are of that devnet and of nothing else. Never edited: later versions must open it.',
    '',
  ].join('\n');
}
