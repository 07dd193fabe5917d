import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { Loop } from '../../src/node/loop.ts';
import { effects, HeldStore, received, testLoop, type TestEffect } from './scripted.ts';

const PERSISTENT = [effects.persist(), effects.cast('vote')];

/** Everything that can happen without time passing has happened. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the loop', () => {
  test('lets a vote leave only after its batch is durable, and signs it in the meantime', async () => {
    const { loop, store, log } = testLoop(() => PERSISTENT);
    loop.offer(received('proposal'));
    const turn = loop.turn();
    await settled();
    expect(log).toEqual(['writing', 'sign bls']);
    store.letThrough();
    await turn;
    expect(log.slice(2)).toEqual(['durable', ...[1, 2, 3].map((to) => `send vote signature to ${to}`)]);
  });

  test('signs with the key that the engine names', async () => {
    const { loop, log } = testLoop(() => [effects.cast('proposal', [1], 'identity'), effects.cast('vote', [1])]);
    loop.offer(received('go'));
    await loop.turn();
    expect(log.slice(0, 2)).toEqual(['sign identity', 'sign bls']);
  });

  test('sends nothing, and tells of no commit, when the batch fails', async () => {
    const { loop, store, log } = testLoop(() => [effects.persist(), effects.commit(1), effects.send('to all')]);
    loop.offer(received('go'));
    const turn = loop.turn();
    store.fail(new Error('no space'));
    await expect(turn).rejects.toThrow('no space');
    await settled();
    expect(log).toEqual(['writing']);
    await expect(loop.turn()).rejects.toThrow('turns follow each other');
  });

  test('fails as a whole when it cannot sign, also when the batch then fails too', async () => {
    const sign = () => {
      throw new Error('no key');
    };
    const { loop, store, log } = testLoop(() => PERSISTENT, { sign });
    loop.offer(received('go'));
    const turn = loop.turn();
    const failed = expect(turn).rejects.toThrow('no key');
    store.fail(new Error('no space'));
    await failed;
    expect(log).toEqual(['writing', 'sign bls']);
  });

  test('writes one synced batch for all inputs of a turn', async () => {
    const { loop, engine, store } = testLoop(() => PERSISTENT);
    for (let i = 0; i < 5; i++) loop.offer(received(`${i}`, i % 3));
    const turn = loop.turn();
    store.letThrough();
    await turn;
    expect(engine.inputs).toHaveLength(5);
    expect(store.batches.map(({ sync }) => sync)).toEqual([true]);
    expect(loop.hasWork()).toBe(false);
  });

  test('takes a bounded number of inputs in one turn', async () => {
    const { loop, engine } = testLoop(() => []);
    for (let i = 0; i < 300; i++) loop.offer({ kind: 'tick' });
    await loop.turn();
    expect(engine.inputs).toHaveLength(256);
    expect(loop.hasWork()).toBe(true);
    await loop.turn();
    expect(engine.inputs).toHaveLength(300);
  });

  test('writes nothing for a turn that needs nothing to be durable', async () => {
    const { loop, store, log } = testLoop(() => [effects.send('hello', [2])]);
    loop.offer(received('go'));
    await loop.turn();
    expect(store.batches).toEqual([]);
    expect(log).toEqual(['send hello to 2']);
  });

  test('gives this validator its own ballot as the next input, also when its share is full', async () => {
    const { loop, engine, log } = testLoop(
      (input) => (input.kind === 'tick' ? [effects.cast('vote', [0, 1]), effects.cast('timeout', [0])] : []),
      { maxMessagesPerPeer: 1 },
    );
    loop.offer({ kind: 'tick' });
    await loop.turn();
    await loop.turn();
    expect(log).toEqual(['sign bls', 'sign bls', 'send vote signature to 1']);
    expect(engine.inputs.slice(1)).toEqual(['own vote signature', 'own timeout signature'].map((m) => received(m, 0)));
  });

  test('starts checks and fetches while the batch is written', async () => {
    const { loop, store, log } = testLoop(() => [effects.verify('votes'), effects.fetch(7), effects.persist()]);
    loop.offer(received('go'));
    const turn = loop.turn();
    await settled();
    expect(log).toEqual(['writing', 'verify votes', 'fetch 7']);
    store.letThrough();
    await turn;
  });

  test('lets what it sends leave before the work that a commit makes, and tells of the commit before rejections', async () => {
    const { loop, store, log } = testLoop(
      () => [effects.commit(1), effects.rejected('superseded'), effects.send('x', [1])],
      { onSend: () => queueMicrotask(() => log.push('end of the tick')) },
    );
    loop.offer(received('go'));
    const turn = loop.turn();
    store.letThrough();
    await turn;
    expect(log.slice(2)).toEqual(['send x to 1', 'end of the tick', 'committed 1', 'rejected superseded']);
  });

  test('drops messages of a validator beyond its share, and no others', () => {
    const { loop } = testLoop(() => [], { maxMessagesPerPeer: 2 });
    expect([1, 1, 1, 2].map((from) => loop.offer(received('m', from)))).toEqual([true, true, false, true]);
  });

  test('lets nothing be sent or told before everything durable is, whatever a turn holds', async () => {
    const visible = /^(send|committed|rejected|refused|evidence|forward)/;
    const effect: fc.Arbitrary<TestEffect> = fc.constantFrom(
      effects.persist(),
      effects.cast('vote'),
      effects.cast('own', [0]),
      effects.send('hello'),
      effects.commit(1),
      effects.rejected('r'),
      effects.refused('r'),
      effects.evidence(1),
      effects.forward(),
      effects.verify('v'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(effect, { maxLength: 5 }), { minLength: 1, maxLength: 4 }), async (lists) => {
        const left = [...lists];
        const { loop, store, log } = testLoop((input) => (input.kind === 'tick' ? (left.shift() ?? []) : []));
        for (const _ of lists) loop.offer({ kind: 'tick' });
        const turn = loop.turn();
        await settled();
        const isWriting = log.includes('writing');
        expect(log.some((line) => visible.test(line))).toBe(!isWriting && lists.flat().some((e) => isVisible(e)));
        store.letThrough();
        await turn;
        const durableAt = log.indexOf('durable');
        if (isWriting)
          for (const [at, line] of log.entries()) if (visible.test(line)) expect(at).toBeGreaterThan(durableAt);
        expect(store.batches.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 50 },
    );
  });
});

/** A message for nobody but this validator is seen by nobody else. */
function isVisible(effect: TestEffect): boolean {
  if (effect.kind === 'cast') return effect.to === 'all';
  return effect.kind !== 'persist' && effect.kind !== 'verify';
}

test('what may wait for the disk runs behind what the disk was waited for, and at once where it has nothing to do', async () => {
  const log: string[] = [];
  const store = new HeldStore(log);
  const loop = new Loop<string, string>({
    engine: { step: (input) => [input], wakeAtMs: () => undefined },
    store,
    plan: ([effect = '']) => ({
      operations: [{ kind: 'put', key: utf8(effect), value: utf8(effect) }],
      meanwhile: () => queueMicrotask(() => loop.afterWrites(() => log.push(`behind ${effect}`))),
      onceDurable: () => process.nextTick(() => log.push(`answer ${effect}`)),
    }),
    disk: { kind: 'beside', failed: (error) => log.push(String(error)) },
    nowMs: () => 0,
    shareOf: () => null,
  });
  loop.offer('entry');
  await loop.turn();
  await settled();
  expect(log).toEqual(['writing']);
  store.letThrough();
  await settled();
  await settled();
  expect(log).toEqual(['writing', 'durable', 'answer entry', 'behind entry']);
  loop.afterWrites(() => log.push('at once'));
  await settled();
  expect(log.at(-1)).toBe('at once');
});
