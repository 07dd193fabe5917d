/**
 * The procedures of docs/operations/disaster-recovery.md, on networks of real processes: the commands are those that stand
 * on the page, with the name of the node put in.
 */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { NodeStatus } from '../../src/node/status.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { SAFETY_KEY } from '../../src/ledger/layout.ts';
import { commandBlocks, page } from '../cli/pages.ts';
import { TestNetwork, type CommandResult } from '../e2e/harness.ts';
import { authors, Submitters } from '../e2e/load.ts';
import { eventually } from '../eventually.ts';

/** The commands of a block of the page, as words, of this node. */
async function commandsOf(
  block: number,
  network: TestNetwork,
  name: string,
  others: readonly (readonly [word: string, by: string])[] = [],
): Promise<readonly string[][]> {
  const lines = (commandBlocks(await page('disaster-recovery.md'))[block] ?? '').trimEnd().split('\n');
  const { configFile, peerId } = network.node(name);
  const named = new Map([
    ['node/config.json', configFile],
    ['$ID=$ADDRESS', `${peerId}=${peerId}`],
    ...others.map(([word, by]) => [word, by] as const),
  ]);
  return lines.map((line) => {
    const [program, ...words] = line.split(' ');
    expect(program).toBe('hotledger');
    return words.map((word) => named.get(word) ?? word);
  });
}

/** A node that is started is a process that stays; every other command ends. */
async function follow(network: TestNetwork, name: string, words: readonly string[]): Promise<CommandResult | null> {
  if (words[0] !== 'start') return network.run(...words);
  expect(words).toEqual(['start', '--config', network.node(name).configFile]);
  await network.startNodes([name]);
  return null;
}

const saysOfConsensus = ({ components }: NodeStatus): string | undefined =>
  components.find(({ name }) => name === 'consensus')?.detail;
const SILENT = 'does not sign: the data directory has no safety record';

test('the page holds the commands that are followed here, and no others', async () => {
  expect(commandBlocks(await page('disaster-recovery.md')).map((block) => block.trimEnd().split('\n'))).toEqual([
    ['hotledger start --config node/config.json', 'hotledger status --config node/config.json --json'],
    [
      'hotledger raft remove $ID --config leader/config.json',
      'hotledger start --config node/config.json',
      'hotledger raft add-voter $ID $ADDRESS --config leader/config.json',
    ],
    // Followed in test/cli/operations.test.ts: it needs no network.
    expect.arrayContaining(['hotledger export --config node/config.json > state.jsonl']),
    [
      'hotledger raft recover --config node/config.json --server $ID=$ADDRESS',
      'hotledger start --config node/config.json',
    ],
    ['hotledger raft add-voter $OTHER $ITS_ADDRESS --config node/config.json'],
  ]);
});

test('a validator that lost its disk, and one that lost its record, follow and do not sign; the others go on', async () => {
  const network = await TestNetwork.start({ validators: 4, observers: 0 });
  const [lost = '', ...others] = network.names();
  const [author] = authors(network.chainId, 1);
  const submitters = new Submitters(network);
  const before = await submitters.acknowledged(others[0]!, author!.next());
  await network.kill(lost);
  const { dataDirectory } = network.node(lost);
  await rename(dataDirectory, `${dataDirectory}.lost`);

  const [start = [], status = []] = await commandsOf(0, network, lost);
  await follow(network, lost, start);
  await eventually(`${lost} has the ledger again`, async () => {
    const { height } = await network.status(lost);
    return height >= (before.height ?? 0) || undefined;
  });
  const said = await follow(network, lost, status);
  expect(saysOfConsensus(said?.json() as NodeStatus)).toContain(SILENT);
  const after = await submitters.acknowledged(others[0]!, author!.next());
  await network.level(network.names(), after.height ?? 0);

  // The directory is whole, and the record alone is gone: the same.
  await network.stop(lost);
  await rm(dataDirectory, { recursive: true });
  await rename(`${dataDirectory}.lost`, dataDirectory);
  const store = await LevelStore.open(join(dataDirectory, 'ledger'));
  await store.batch([{ kind: 'delete', key: SAFETY_KEY }], { sync: true });
  await store.close();
  await follow(network, lost, start);
  expect(saysOfConsensus(await network.status(lost))).toContain(SILENT);
  await network.level(network.names(), after.height ?? 0);
});

test('without a quorum of HotStuff nothing commits and nothing is lost; it goes on when validators come back', async () => {
  const network = await TestNetwork.start({ validators: 4, observers: 0 });
  const [here = '', first = '', second = ''] = network.names();
  const [author] = authors(network.chainId, 1);
  const submitters = new Submitters(network);
  const before = await submitters.acknowledged(here, author!.next());
  await network.kill(first, second);
  await eventually('the loss is noticed', async () => !(await network.reachesQuorum(here)) || undefined);
  expect(await submitters.submit(here, author!.next())).toMatchObject({ refusal: { code: 'no-quorum' } });
  const peerId = author!.key.peerId;
  const read = await network.run('get', peerId, '--config', network.node(here).configFile, '--json');
  expect(read.json()).toMatchObject({ verified: true });
  await network.startNodes([first]);
  const after = await submitters.acknowledged(here, author!.next());
  expect(after.height ?? 0).toBeGreaterThan(before.height ?? 0);
});

/** @returns the first that leads */
async function leaderOf(network: TestNetwork): Promise<string> {
  return eventually('one of them leads', async () => {
    for (const name of network.names()) {
      if ((await network.process(name).control.raftReport()).role === 'leader') return name;
    }
    return undefined;
  });
}

test('a Raft member that lost its disk comes back as one that is added, command by command', async () => {
  const network = await TestNetwork.start({ validators: 3, observers: 0, consensus: 'raft' });
  const leader = await leaderOf(network);
  const lost = network.names().find((name) => name !== leader) ?? '';
  const [author] = authors(network.chainId, 1);
  const submitters = new Submitters(network);
  await submitters.acknowledged(leader, author!.next());
  await network.kill(lost);
  await rm(network.node(lost).dataDirectory, { recursive: true });

  const { peerId } = network.node(lost);
  const [remove = [], start = [], add = []] = await commandsOf(1, network, lost, [
    ['$ID', peerId],
    ['$ADDRESS', peerId],
    ['leader/config.json', network.node(leader).configFile],
  ]);
  expect(await follow(network, lost, remove)).toMatchObject({ exit: 0 });
  await follow(network, lost, start);
  expect(network.log(lost)).toContain('raft-may-have-voted');
  expect((await network.process(lost).control.raftReport()).servers).toEqual([]);
  expect(await follow(network, lost, add)).toMatchObject({ exit: 0 });
  const after = await submitters.acknowledged(leader, author!.next());
  await network.level(network.names(), after.height ?? 0);
});

test('a Raft member that is left alone goes on by an operator, and takes in the others again, command by command', async () => {
  const network = await TestNetwork.start({ validators: 3, observers: 0, consensus: 'raft' });
  const left = await leaderOf(network);
  const others = network.names().filter((name) => name !== left);
  const [author] = authors(network.chainId, 1);
  const submitters = new Submitters(network);
  const before = await submitters.acknowledged(left, author!.next());
  await network.level(network.names(), before.height ?? 0);
  await network.kill(...network.names());

  const [recover = [], start = []] = await commandsOf(3, network, left);
  const recovered = await follow(network, left, recover);
  expect(recovered).toMatchObject({ exit: 0 });
  expect(recovered?.out).toContain(`${network.node(left).dataDirectory}.before-recovery-1`);
  // The others are there first: a majority of the voters that the cluster began with.
  for (const name of others) await rm(network.node(name).dataDirectory, { recursive: true });
  await network.startNodes(others);
  await follow(network, left, start);
  const after = await submitters.acknowledged(left, author!.next());
  expect(after.height ?? 0).toBeGreaterThan(before.height ?? 0);

  for (const name of others) {
    const { peerId } = network.node(name);
    expect((await network.process(name).control.raftReport()).servers).toEqual([]);
    const [add = []] = await commandsOf(4, network, left, [
      ['$OTHER', peerId],
      ['$ITS_ADDRESS', peerId],
    ]);
    expect(await follow(network, left, add)).toMatchObject({ exit: 0 });
  }
  const last = await submitters.acknowledged(left, author!.next());
  await network.level(network.names(), last.height ?? 0);
});
