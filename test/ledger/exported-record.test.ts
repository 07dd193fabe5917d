import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { importRecords } from '../../src/ledger/import.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { deriveNodeData, stringifyWithDigits } from '../../src/ledger/record-view.ts';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { peerOf, START } from './nodes.ts';

const HOUR_NS = 3_600_000_000_000n;
const DAY = 86_400;

/** It was away, came back a day ago, was heard for 23 hours, and somebody changed its record since. */
const joined: NodeRecord = {
  kind: 'record',
  peerId: peerOf(1, 'secp256k1'),
  origin: 'event',
  multiaddrs: ['/ip4/10.0.0.1/tcp/4001', '/ip4/10.0.0.2/tcp/4001'],
  version: 'v9',
  isTwitterScraper: true,
  isDiscordScraper: false,
  isTelegramScraper: false,
  isWebScraper: true,
  isLlmServer: true,
  stake: { isStaked: true, attestedAt: START - 9, proposal: null, reference: 'of the old chain' },
  activity: 'joined',
  firstJoined: START - 9 * DAY,
  lastJoined: START - DAY,
  lastLeft: START - 2 * DAY,
  lastHeard: START - 3600,
  lastUpdated: START - 60,
  closedUptimeNs: 150n * HOUR_NS + 7n,
  workerTimeoutNs: BigInt(START) * 1_000_000_000n + 123n,
  lastSeq: 42,
  lastEventId: ZERO_HASH,
};
const left: NodeRecord = {
  ...joined,
  peerId: peerOf(2),
  activity: 'left',
  lastLeft: START - 3000,
  lastHeard: START - 3600,
  isLlmServer: false,
  multiaddrs: [],
  stake: null,
  workerTimeoutNs: null,
};
/** Of its own chain only: who signed last, and who attested. */
const carried = (record: NodeRecord) => ({ ...record, origin: 'import', lastSeq: 0, stake: null });

const exported = (record: NodeRecord, isValidator = false): string =>
  stringifyWithDigits(
    deriveNodeData(record, { nowSeconds: START, isValidator, parameters: { livenessWindowSeconds: 7200 } }),
  );
const options = { referenceTimeSeconds: START };

describe('a record that was exported of another chain', () => {
  test('is the same one in a new genesis: its times, when it was last heard, its uptime to the nanosecond', () => {
    const { records, report } = unwrap(importRecords(`${exported(joined)}\n${exported(left)}\n`, options));
    expect(report.map(({ reasons, verdict }) => [verdict, reasons])).toEqual([
      ['valid', []],
      ['valid', []],
    ]);
    const expected = [joined, left].map(carried);
    expect(new Set(records)).toEqual(new Set(expected));
  });

  test('is staked where the list says so, and a validator where the new chain does', () => {
    const { records, report } = unwrap(importRecords(exported(joined, true), { ...options, staked: [joined.peerId] }));
    expect(records[0]?.stake).toMatchObject({ isStaked: true, attestedAt: START, reference: 'genesis import' });
    expect(report[0]?.reasons).toMatchObject([{ code: 'validator-claim-dropped' }]);
  });

  test.each([
    ['was heard before it joined', { lastHeard: START - 2 * DAY }, 'times-out-of-order'],
    ['was heard after its last change', { lastHeard: START }, 'times-out-of-order'],
    ['was heard at no time', { lastHeard: 'yesterday' }, 'record-malformed'],
    ['has an uptime that is no number', { accumulatedUptime: 'long' }, 'record-malformed'],
    ['has an uptime with a fraction', { uptime: 0.5 }, 'record-malformed'],
  ])('is rejected where it %s', (_, changes, code) => {
    const fields = { ...(JSON.parse(exported(joined)) as object), ...changes };
    const [line] = unwrap(importRecords(JSON.stringify([fields]), options)).report;
    expect(line).toMatchObject({ verdict: 'rejected', reasons: [{ code }] });
  });

  test('has no more uptime than its times allow', () => {
    const fields = JSON.parse(exported(joined)) as object;
    const text = stringifyWithDigits({ ...fields, accumulatedUptime: 10n ** 18n });
    const { records, report } = unwrap(importRecords(text, options));
    expect(report[0]?.reasons).toMatchObject([{ code: 'uptime-clamped' }]);
    expect(records[0]?.closedUptimeNs).toBe(BigInt(8 * 24) * HOUR_NS);
  });
});
