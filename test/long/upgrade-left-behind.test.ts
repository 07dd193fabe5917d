/** Old and new programs side by side, under load, through a new event schema: `upgrade.test.ts` goes the whole way. */
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { chainOf, historyFaults, lightReader } from '../e2e/history.ts';
import { Load, Submitters } from '../e2e/load.ts';
import { joinsAsLlm, llmAuthor, UpgradingNetwork } from '../e2e/upgrading.ts';

/** For some dozens of blocks, on a machine that does much else. */
const BLOCKS_MS = 150_000;

test(
  'a network goes over to a new event schema, and a validator that is not upgraded stops before it',
  { timeout: 400_000 },
  async () => {
    const upgrading = await UpgradingNetwork.start(['validator-1', 'validator-2', 'validator-3']);
    const { network } = upgrading;
    const load = new Load(network, 4);
    const validators = network.names('validator');
    const [first, second, third, last] = validators as [string, string, string, string];

    // Not before: neither an older program nor a newer one takes the new form.
    const author = llmAuthor(network.chainId);
    const submitters = new Submitters(network);
    const refusalBy = async (name: string): Promise<string> => {
      const answer = await upgrading.answer(submitters, name, joinsAsLlm(author));
      return answer.kind === 'refused' ? answer.refusal.code : answer.kind;
    };
    expect([await refusalBy(first), await refusalBy(last)]).toEqual(['schema-not-active', 'schema-not-known']);

    // An operator whose validator does not know the schema is told, and approves nothing.
    const fromHeight = await upgrading.activate(load, first, [second, third], 80);
    const warned = (await network.status(last)).components.find(({ name }) => name === 'schema');
    expect(warned).toMatchObject({ healthy: false });
    expect(warned?.detail).toContain(`event schema 2 begins at height ${fromHeight}`);

    // It stops at the last height that it understands, stays up, and the others go on without it.
    await eventually(
      `${last} has stopped`,
      async () => (await network.status(last)).height === fromHeight - 1 || undefined,
      BLOCKS_MS,
    );
    await eventually(
      'the others go on',
      async () => (await network.status(first)).height > fromHeight + 20 || undefined,
      BLOCKS_MS,
    );
    const stopped = await network.status(last);
    expect(stopped).toMatchObject({
      height: fromHeight - 1,
      schema: { active: 2, known: 1 },
      silentBecause: 'this program does not know event schema 2: upgrade it',
    });
    expect(network.log(last)).toContain('stops before an event schema that it does not know');
    const told = await network.run('status', '--config', network.node(last).configFile);
    expect(told).toMatchObject({ exit: 1 });
    expect((await network.status('observer')).height).toBe(fromHeight - 1);

    // The new form is in the ledger, and a reader who trusts nobody reads it.
    const joins = joinsAsLlm(author);
    expect(await upgrading.answer(submitters, first, joins)).toMatchObject({ kind: 'acknowledged' });

    // Killed, not asked: it has lost nothing, and goes on from there with the newer program.
    await upgrading.upgrade(last, 'observer');
    load.targets = validators;
    await network.caughtUp(last);
    await load.finish();
    const { height } = await network.level(network.names(), fromHeight + 20);
    expect((await network.status(last)).silentBecause).toBeNull();
    for (const name of [first, last]) {
      const chain = await chainOf(network, name);
      expect(historyFaults(chain, load.acknowledged)).toEqual([]);
      expect(chain.flatMap(({ events }) => events).filter(({ id }) => id === joins.id)).toMatchObject([{ schema: 2 }]);
    }
    expect(load.refused).toEqual([]);
    const reader = await lightReader(network, [last]);
    const read = await reader.read(author.key.peerId, { maxAgeMs: undefined, timeoutMs: 10_000 });
    expect(read).toMatchObject({ ok: true, value: { node: { isLlmServer: true } } });
    console.log(`schema 2 from height ${fromHeight}, ${load.acknowledged.length} acknowledged, ${height} blocks`);
  },
);
