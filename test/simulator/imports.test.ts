/** The simulator drives production code: what it may not have is anything of its own in the place of it. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = import.meta.dirname;
/** The self-check runs the simulator from outside, on copies of the tree. */
const files = globSync('**/*.ts', { cwd: folder }).filter(
  (file) => !file.endsWith('.test.ts') && !file.startsWith('self-check/'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(join(folder, file), 'utf8');
  return Array.from(text.matchAll(/^(?:import|export)[^;]*? from '([^']+)'/gms), ([, from]) => from!);
}

/** From a file of the simulator, as a path from the root of the repository. */
function inRepository(file: string, from: string): string {
  return from.startsWith('.') ? join('test/simulator', file, '..', from) : from;
}

const imports = new Map(files.map((file) => [file, importsOf(file).map((from) => inRepository(file, from))] as const));

/** What a simulated validator is made of. */
const PRODUCTION = [
  'src/node/validator.ts',
  'src/node/admit.ts',
  'src/node/event-verifier.ts',
  'src/node/open-ledger.ts',
  'src/node/block-source.ts',
  'src/node/verification-jobs.ts',
  'src/net/block-sync.ts',
  'src/projections/projector.ts',
  'src/projections/catalog.ts',
];

/** What a simulated server of a Raft cluster is made of. */
const RAFT_PRODUCTION = [
  'src/node/raft/raft-server.ts',
  'src/node/raft/open-server.ts',
  'src/node/raft/network-links.ts',
  'src/raft/wire/configuration-codec.ts',
];

/** What tests have for their own use; everything else of `test/` stands in for something. */
const ALLOWED_OF_TEST = [
  'test/flipped.ts',
  'test/hotstuff/fast-scheme.ts',
  'test/hotstuff/message-round.ts',
  'test/ledger/nodes.ts',
];

test('a simulated validator is made of production parts', () => {
  expect(imports.get('simulated-validator.ts')).toEqual(expect.arrayContaining(PRODUCTION));
});

test('so is a simulated server of a Raft cluster', () => {
  expect(imports.get('raft/simulated-server.ts')).toEqual(expect.arrayContaining(RAFT_PRODUCTION));
  const of = (path: string) => readFileSync(join(folder, '../../src', path), 'utf8');
  expect(of('node/raft/raft-server.ts')).toMatch(/new RaftEngine\(/);
  expect(of('node/raft/raft-server.ts')).toMatch(/new Loop</);
  expect(of('node/raft/raft-server.ts')).toMatch(/new Applier</);
  expect(of('node/raft/raft-server.ts')).toMatch(/new Snapshotting</);
  expect(of('node/raft/open-server.ts')).toMatch(/openRaft\(/);
  expect(of('node/raft/network-links.ts')).toMatch(/new NetworkTransport\(/);
  expect(of('node/raft/client.ts')).toMatch(/encodeRequest\(/);
  expect(of('node/raft/inbound-connection.ts')).toMatch(/new RequestParser\(/);
});

test('production parts bring the loop, the turn, the engine and the codecs themselves', () => {
  const of = (path: string) => readFileSync(join(folder, '../..', path), 'utf8');
  expect(of('src/node/validator.ts')).toMatch(/new Loop</);
  expect(of('src/node/validator.ts')).toMatch(/new Runner</);
  expect(of('src/node/validator.ts')).toMatch(/encodeMessage\(/);
  expect(of('src/node/validator.ts')).toMatch(/plan: turnPlanner</);
  expect(of('src/node/turn-planner.ts')).toMatch(/planTurn\(/);
  expect(of('src/node/admit.ts')).toMatch(/decodeMessage\(/);
  expect(of('src/node/restore-engine.ts')).toMatch(/new HotstuffEngine\(/);
});

test('nothing of other tests stands in for any of them', () => {
  const foreign = Array.from(imports.values())
    .flat()
    .filter((from) => from.startsWith('test/'));
  expect(foreign.filter((from) => !from.startsWith('test/simulator/') && !ALLOWED_OF_TEST.includes(from))).toEqual([]);
});

test('the simulator makes no message of the engine, admits none, and steps no engine', () => {
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const maker of ['verifiedEvent', 'admitOwn', 'candidateOf', 'planTurn', 'new Loop', 'new HotstuffEngine']) {
      expect(new RegExp(`${maker}[<(]`).test(text), `${file} has ${maker}`).toBe(false);
    }
  }
});

test('nothing but the command line looks at the clock of the machine, and nothing rolls its dice', () => {
  for (const file of files) {
    if (['main.ts', 'campaign.ts', 'virtual-globals.ts'].includes(file)) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    expect(text, file).not.toMatch(/\b(Date\.now|new Date|performance\.now|Math\.random|randomBytes|hrtime)\b/);
  }
});
