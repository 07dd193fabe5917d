/** Old and new programs side by side, under load, through a new event schema. `test/long/upgrade.test.ts` is the long form. */
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { chainOf, historyFaults, lightReader } from './history.ts';
import { Author, Load, Submitters } from './load.ts';
import { UpgradingNetwork } from './upgrading.ts';
import { identityKeyFromSecret } from '../../src/node/keys.ts';

const LLM = {
  ...{ isTwitterScraper: false, isDiscordScraper: false, isTelegramScraper: false, isWebScraper: false },
  isLlmServer: true,
};

test('a network goes over to a new event schema, and a validator that is not upgraded stops before it', async () => {
  const upgrading = await UpgradingNetwork.start(['validator-1', 'validator-2', 'validator-3']);
  const { network } = upgrading;
  const load = new Load(network, 4);
  const validators = network.names('validator');
  const [first, second, third, last] = validators as [string, string, string, string];

  // Not before: neither an older program nor a newer one takes the new form.
  const author = new Author(network.chainId, identityKeyFromSecret('ed25519', new Uint8Array(32).fill(9)));
  const submitters = new Submitters(network);
  const joins = () => author.sign({ type: 'joined', schema: 2, multiaddrs: [], version: 'v2', ...LLM });
  const refusalBy = async (name: string) => {
    const answer = await submitters.submit(name, joins());
    return answer.kind === 'refused' ? answer.refusal.code : answer.kind;
  };
  expect([await refusalBy(first), await refusalBy(last)]).toEqual(['schema-not-active', 'schema-not-known']);

  // An operator whose validator does not know the schema is told, and approves nothing.
  const fromHeight = await upgrading.activate(load, first, [second, third], 120);
  const warned = (await network.status(last)).components.find(({ name }) => name === 'schema');
  expect(warned).toMatchObject({ healthy: false });
  expect(warned?.detail).toContain(`event schema 2 begins at height ${fromHeight}`);

  // It stops at the last height that it understands, stays up, and the others go on without it.
  await eventually(
    `${last} has stopped`,
    async () => (await network.status(last)).height === fromHeight - 1 || undefined,
  );
  await eventually('the others go on', async () => (await network.status(first)).height > fromHeight + 20 || undefined);
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
  const joined = await submitters.acknowledged(first, joins());
  expect(joined.height).toBeGreaterThanOrEqual(fromHeight);

  // Killed, not asked: it has lost nothing, and goes on from there with the newer program.
  await upgrading.upgrade(last, 'observer');
  load.targets = validators;
  await network.caughtUp(last);
  await load.finish();
  const { height } = await network.level(network.names(), fromHeight + 20);
  expect((await network.status(last)).silentBecause).toBeNull();
  for (const name of [first, last]) {
    const chain = await chainOf(network, name);
    expect(historyFaults(chain, [...load.acknowledged, joined])).toEqual([]);
  }
  expect(load.refused).toEqual([]);
  const reader = await lightReader(network, [last]);
  const read = await reader.read(author.key.peerId, { maxAgeMs: undefined, timeoutMs: 10_000 });
  expect(read).toMatchObject({ ok: true, value: { node: { isLlmServer: true } } });
  console.log(`schema 2 from height ${fromHeight}, ${load.acknowledged.length} acknowledged, ${height} blocks`);
});
