/**
 * The whole way from one program to the next: every process runs the older one, each is killed and started anew in its turn
 * while events come in, a new event schema begins, and who was left behind stops, loses nothing, and goes on.
 */
import { expect, test } from 'vitest';
import { chainOf, historyFaults } from '../e2e/history.ts';
import { Load, Submitters } from '../e2e/load.ts';
import { joinsAsLlm, llmAuthor, UpgradingNetwork } from '../e2e/upgrading.ts';
import { eventually } from '../eventually.ts';
import { more } from './verdict.ts';

const NOTICE = 120;

/** Schema 2 is in use. */
async function usesSchema2(upgrading: UpgradingNetwork, to: string): Promise<string> {
  const { network } = upgrading;
  const author = llmAuthor(network.chainId);
  const answer = await upgrading.answer(new Submitters(network), to, joinsAsLlm(author));
  expect(answer).toMatchObject({ kind: 'acknowledged' });
  return author.key.peerId;
}

/** Height after height, until the schema is in force for some time. */
async function past(upgrading: UpgradingNetwork, name: string, height: number): Promise<void> {
  const { network } = upgrading;
  const isPast = async (): Promise<true | undefined> => (await network.status(name)).height > height || undefined;
  await eventually(`${name} is past height ${height}`, isPast, 120_000);
}

test(
  'validators that are upgraded one at a time under load lose nothing, two that are late included',
  { timeout: 15 * 60_000 },
  async () => {
    const upgrading = await UpgradingNetwork.start([]);
    const { network } = upgrading;
    const [first, second, third, last] = network.names('validator') as [string, string, string, string];
    const load = new Load(network, 6);
    for (const name of [first, second, third]) {
      await more(load, 20, 120_000);
      await upgrading.upgrade(name);
    }
    const fromHeight = await upgrading.activate(load, first, [second, third], NOTICE);
    await past(upgrading, first, fromHeight + 10);
    expect(await network.status(last)).toMatchObject({ height: fromHeight - 1, schema: { active: 2, known: 1 } });
    await network.kill(last);
    await network.startNodes([last]); // the older program again, and it knows no more than before
    await usesSchema2(upgrading, first);
    await more(load, 20, 120_000);
    const again = await network.status(last);
    expect(again).toMatchObject({
      height: fromHeight - 1,
      silentBecause: expect.stringContaining('schema 2') as string,
    });
    await upgrading.upgrade(last, 'observer');
    await network.kill(first); // now the late one is needed
    load.targets = [second, third, last];
    await more(load, 30, 120_000);
    await network.startNodes([first]);
    await load.finish();
    const { height } = await network.level(network.names(), fromHeight + 10);
    for (const name of network.names('validator')) {
      expect([name, historyFaults(await chainOf(network, name), load.acknowledged)]).toEqual([name, []]);
    }
    expect(load.refused).toEqual([]);
    console.log(`schema 2 from height ${fromHeight}, ${load.acknowledged.length} acknowledged, ${height} blocks`);
  },
);

test(
  'a member of a Raft cluster that is late ends before the entry that it does not know, and goes on there',
  { timeout: 10 * 60_000 },
  async () => {
    const upgrading = await UpgradingNetwork.start([], { validators: 4, observers: 0, consensus: 'raft' });
    const { network } = upgrading;
    const [first, second, third, last] = network.names() as [string, string, string, string];
    const load = new Load(network, 4);
    for (const name of [first, second, third]) {
      await more(load, 10, 120_000);
      await upgrading.upgrade(name);
    }
    const fromHeight = await upgrading.activate(load, first, [second, third], NOTICE);
    const { code } = await network.process(last).ended;
    expect(code).toBe(1);
    expect(network.log(last)).toContain('schema-not-known');
    load.targets = [first, second, third];
    const llm = await usesSchema2(upgrading, await leaderOf(upgrading, [first, second, third]));
    await more(load, 20, 120_000);
    await upgrading.upgrade(last);
    load.targets = network.names();
    await more(load, 20, 120_000);
    await load.finish();
    const { height } = await network.level(network.names(), fromHeight + 10);
    expect(load.refused).toEqual([]);
    const newest = new Map<string, number>([[llm, 1]]);
    for (const { peerId, seq } of load.acknowledged) newest.set(peerId, Math.max(seq, newest.get(peerId) ?? 0));
    for (const [peerId, seq] of newest) {
      const { lastSeq } = await network.process(last).control.read(peerId);
      expect([peerId, (lastSeq ?? 0) >= seq]).toEqual([peerId, true]);
    }
    console.log(`schema 2 from height ${fromHeight}, ${load.acknowledged.length} acknowledged, ${height} blocks`);
  },
);

async function leaderOf({ network }: UpgradingNetwork, names: readonly string[]): Promise<string> {
  return eventually('one of them leads', async () => {
    for (const name of names) {
      const { role } = await network.process(name).control.raftReport();
      if (role === 'leader') return name;
    }
    return undefined;
  });
}
