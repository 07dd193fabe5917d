import { describe, expect, test } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { schemaActivationCodec } from '../../src/ledger/event-schema-at.ts';
import { SCHEMA_KEY } from '../../src/ledger/state.ts';
import { schemaHealth, schemaReport, SchemaWatch } from '../../src/node/schema-report.ts';
import { peerOf, TestChain } from '../ledger/nodes.ts';

const FROM_HEIGHT = 1000;

/** A state in which schema 2 was decided on. */
function decided(): TestChain {
  const state = new TestChain([peerOf(1)]);
  state.entries.set(SCHEMA_KEY, schemaActivationCodec.encode({ schema: 2, fromHeight: FROM_HEIGHT }));
  return state;
}

const healthAt = (height: number, known: number) => schemaHealth(schemaReport(decided(), height, known), height);

describe('the report of event schemas', () => {
  test('has the one in force in the next block, the one to come, and what the program knows', () => {
    expect(schemaReport(new TestChain([peerOf(1)]), 5)).toMatchObject({
      active: 1,
      scheduled: null,
      replaces: ZERO_HASH,
    });
    expect(schemaReport(decided(), FROM_HEIGHT - 2, 1)).toMatchObject({
      ...{ active: 1, known: 1, scheduled: { schema: 2, fromHeight: FROM_HEIGHT } },
    });
    expect(schemaReport(decided(), FROM_HEIGHT - 1, 1)).toMatchObject({ active: 2, known: 1, scheduled: null });
  });

  test('is not healthy from the decision on where the program does not know the schema', () => {
    expect(healthAt(10, 2)).toMatchObject({
      healthy: true,
      detail: expect.stringContaining('begins at height 1000') as string,
    });
    expect(healthAt(10, 1)).toMatchObject({ healthy: false, detail: expect.stringContaining('990 blocks') as string });
    expect(healthAt(FROM_HEIGHT - 1, 1)).toMatchObject({
      healthy: false,
      detail: expect.stringContaining('stopped at height 999') as string,
    });
    expect(healthAt(FROM_HEIGHT - 1, 2)).toMatchObject({ healthy: true });
  });

  test('tells the log once of each change', () => {
    const told: string[] = [];
    const say = (level: string) => (_facts: object, text?: string) => void told.push(`${level} ${text ?? ''}`);
    const watch = new SchemaWatch({ info: say('info'), warn: say('warn'), error: say('error') });
    const before = new TestChain([peerOf(1)]);
    for (const height of [1, 2]) watch.observe(schemaReport(before, height, 1), height);
    for (const height of [3, 4, FROM_HEIGHT - 1, FROM_HEIGHT - 1])
      watch.observe(schemaReport(decided(), height, 1), height);
    expect(told).toEqual([
      expect.stringMatching(/^warn event schema 2 begins at height 1000/),
      expect.stringMatching(/^error stops before an event schema that it does not know/),
    ]);
  });
});
