import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { peerIdFromPublicKey } from '../../src/ledger/identity.ts';
import { importRecords, parseWithExactIntegers, type ImportLine } from '../../src/ledger/import.ts';
import { stringifyWithDigits } from '../../src/ledger/record-view.ts';

const fixture = new URL('../fixtures/nodedata/', import.meta.url);
const sample = readFileSync(new URL('nodedata-sample.json', fixture), 'utf8');

interface Expectation {
  readonly i: number;
  readonly label: string;
  readonly expect: 'valid' | 'normalize' | 'reject';
  readonly peerId: string;
}

const index = JSON.parse(readFileSync(new URL('nodedata-sample.index.json', fixture), 'utf8')) as {
  readonly reference_time_unix: number;
  readonly records: readonly Expectation[];
};

const VERDICTS = { valid: 'valid', normalize: 'normalised', reject: 'rejected' } as const;

/** Why each record that is not valid is not. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  'boot-validator': ['validator-claim-dropped'],
  'staked-worker': ['addresses-rewritten'],
  'v0.5.0-overestimated-uptime': ['flag-missing', 'uptime-clamped'],
  'v0.0.9-beta': ['fields-dropped', 'flag-missing', 'uptime-clamped'],
  'v0.0.9-records': ['fields-dropped', 'flag-missing'],
  'pre-2024-06-14-form': ['version-missing'],
  'doubled-p2p-suffix': ['addresses-rewritten'],
  '64-addresses': ['too-many-addresses'],
  'null-multiaddrs': ['addresses-missing'],
  'invalid-multiaddr': ['address-invalid'],
  'stale-cleanup-stub': ['version-missing'],
  'activity-contradiction': ['activity-contradiction'],
  'first-after-last': ['times-out-of-order'],
  'future-lastUpdated': ['time-in-future'],
  'millisecond-timestamps': ['time-unit'],
  'peer-id-as-cidv1': ['peer-id-rewritten'],
  'eth-address-not-of-peer-id': ['eth-address-not-yours'],
  'self-made-validator': ['validator-claim-dropped'],
  'spoofed-duplicate-of-w0': ['duplicate-peer'],
  'over-long-version': ['version-invalid'],
  'unknown-extra-fields': ['fields-dropped'],
  'minimal-record': ['version-missing'],
  'empty-peer-id': ['peer-id-invalid'],
  'undecodable-peer-id': ['peer-id-invalid'],
};

const outcome = unwrap(importRecords(sample, { referenceTimeSeconds: index.reference_time_unix }));

function codesOf(line: ImportLine): string[] {
  return [...new Set(line.reasons.map(({ code }) => code))].sort();
}

describe('the records of the sample', () => {
  it('are all judged', () => {
    expect(outcome.report).toHaveLength(59);
    expect(index.records).toHaveLength(59);
  });

  it.each(index.records)('$i $label: $expect', (expectation) => {
    const line = outcome.report[expectation.i] as ImportLine;
    expect(line.peerId).toBe(expectation.peerId.slice(0, 64));
    const reasons = expectation.expect === 'valid' ? [] : (REASONS[expectation.label] ?? ['?']);
    expect({ verdict: line.verdict, codes: codesOf(line) }).toEqual({
      verdict: VERDICTS[expectation.expect],
      codes: reasons,
    });
  });
});

const parseWithDigits = (text: string) => unwrap(parseWithExactIntegers(text)) as readonly unknown[];

/** A record that is valid as it is, changed by what a case says; `undefined` leaves a field out. */
function variant(changes: Readonly<Record<string, unknown>>): string {
  const valid = (JSON.parse(sample) as Record<string, unknown>[])[38];
  return JSON.stringify([{ ...valid, ...changes }]);
}

function only(text: string, options: { staked?: string[]; validators?: string[] } = {}): ImportLine {
  const imported = unwrap(importRecords(text, { referenceTimeSeconds: index.reference_time_unix, ...options }));
  return imported.report[0] as ImportLine;
}

const valid38 = index.records[38] as Expectation;
/** x = 5 has no y on secp256k1. */
const offCurve = peerIdFromPublicKey('secp256k1', Uint8Array.of(2, ...new Uint8Array(31), 5));
const ed25519 = index.records[48] as Expectation;

describe('one record', () => {
  it.each([
    ['times in milliseconds', { lastUpdated: 1724673595000 }, 'time-unit'],
    ['a time that no double holds', { lastUpdated: '12345678901234567890' }, 'record-malformed'],
    ['no time of joining', { firstJoined: undefined }, 'time-missing'],
    ['a year ahead', { lastUpdated: 1756209600 }, 'time-in-future'],
    ['times out of order', { lastJoined: 1724673599 }, 'times-out-of-order'],
    ['a node that left before it joined', { activity: 1, isActive: false, lastLeft: 5 }, 'times-out-of-order'],
    ['activity that is neither 0 nor 1', { activity: 2 }, 'record-malformed'],
    ['left and active', { activity: 1 }, 'activity-contradiction'],
    ['no version', { version: '' }, 'version-missing'],
    ['a version with a line break', { version: 'v1\n' }, 'version-invalid'],
    ['a peer id that is a number', { peerId: 7 }, 'record-malformed'],
    ['a key that is no point of its curve', { peerId: offCurve, ethAddress: '' }, 'peer-id-invalid'],
    ['an RSA peer id', { peerId: 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N' }, 'peer-id-unsupported'],
    ["another key's Ethereum address", { ethAddress: `0x${'0'.repeat(40)}` }, 'eth-address-not-yours'],
    ['addresses that are no list', { multiaddrs: 'x' }, 'record-malformed'],
    ['17 addresses', { multiaddrs: Array.from({ length: 17 }, (_, i) => `/ip4/10.0.0.${i}`) }, 'too-many-addresses'],
    ['an endless address', { multiaddrs: [`/dns4/${'a'.repeat(300)}`] }, 'address-too-long'],
    ['a flag that is text', { isWebScraper: 'yes' }, 'record-malformed'],
    ['a timeout that is no time', { workerTimeout: 'soon' }, 'record-malformed'],
    ['a timeout beyond what nanoseconds reach', { workerTimeout: '2262-04-12T00:00:00Z' }, 'record-malformed'],
    ['a timeout in the year 9999', { workerTimeout: '9999-12-31T00:00:00Z' }, 'record-malformed'],
    ['uptime with a fraction', { uptime: 1.5 }, 'record-malformed'],
    [
      'addresses that fill more than a record',
      { multiaddrs: Array.from({ length: 16 }, (_, i) => `/dns4/${String(i).padStart(245, 'a')}`) },
      'record-too-large',
    ],
  ])('is rejected with %s', (_, changes, code) => {
    const line = only(variant(changes));
    expect({ verdict: line.verdict, codes: codesOf(line) }).toEqual({ verdict: 'rejected', codes: [code] });
  });

  it.each([
    ['an address twice', { multiaddrs: ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1'] }, 'addresses-rewritten'],
    ['RFC 3339 times', { firstJoined: '2024-08-26T10:00:00Z' }, 'time-rewritten'],
    [
      'an Ethereum address in lower case',
      { ethAddress: '0xe5d5d780a8d6fc78fe7eb02fd467d252d01a947b' },
      'eth-address-rewritten',
    ],
    ['negative uptime', { uptime: -60000000000 }, 'uptime-clamped'],
    ['the older name of a validator', { isWriterNode: true }, 'validator-claim-dropped'],
    ['a field that nobody knows', { constructor: 1 }, 'fields-dropped'],
  ])('is normalised with %s', (_, changes, code) => {
    const line = only(variant(changes));
    expect({ verdict: line.verdict, codes: codesOf(line) }).toEqual({ verdict: 'normalised', codes: [code] });
  });

  it('says that its node is an LLM server where events of the chain can say so', () => {
    const llm = variant({ isLlmServer: true });
    const of = (eventSchema: number) =>
      unwrap(importRecords(llm, { referenceTimeSeconds: index.reference_time_unix, eventSchema }));
    expect(of(2)).toMatchObject({ records: [{ isLlmServer: true }], report: [{ verdict: 'valid' }] });
    expect(of(1).records).toMatchObject([{ isLlmServer: false }]);
    expect(codesOf(of(1).report[0] as ImportLine)).toEqual(['fields-dropped']);
    expect(codesOf(only(variant({ isLlmServer: 'yes' })))).toEqual(['record-malformed']);
  });

  it('is rejected when it is no object', () => {
    expect(codesOf(only('[7]'))).toEqual(['record-malformed']);
  });

  it('keeps the claims that the lists name, and no others', () => {
    expect(only(variant({ isStaked: true })).notes.map(({ code }) => code)).toEqual(['stake-claim-dropped']);
    expect(only(variant({ isStaked: true }), { staked: [valid38.peerId] }).notes).toEqual([]);
    expect(only(variant({ isValidator: true }), { validators: [valid38.peerId] }).verdict).toBe('valid');
  });

  it('drops the counters of a worker with a note', () => {
    const line = only(variant({ returnedTweets: 3 }));
    expect(line.notes.map(({ code }) => code)).toContain('worker-statistics-dropped');
  });

  it('cannot be staked without an Ethereum address', () => {
    const options = { referenceTimeSeconds: index.reference_time_unix, staked: [ed25519.peerId] };
    const imported = unwrap(importRecords(sample, options));
    expect(codesOf(imported.report[48] as ImportLine)).toEqual(['stake-not-possible']);
    expect(imported.records.find(({ peerId }) => peerId === ed25519.peerId)?.stake).toBeNull();
  });
});

describe('what is imported', () => {
  it('has uptimes that its times allow, however far the older system compounded them', () => {
    const compounded = outcome.records.find(({ peerId }) => peerId === index.records[28]?.peerId);
    expect(compounded?.closedUptimeNs).toBe(86_400_000_000_000n); // firstJoined to lastJoined
    const sound = outcome.records.find(({ peerId }) => peerId === index.records[0]?.peerId);
    expect(sound?.closedUptimeNs).toBe(3369580654583775n - 777580406932607n);
  });

  it('has the claimed uptime in full where a double would have rounded it', () => {
    const text = variant({ firstJoined: 1, accumulatedUptime: 0 }).replace(
      '"accumulatedUptime":0',
      '"accumulatedUptime":1724600000000000001',
    );
    const [record] = unwrap(importRecords(text, { referenceTimeSeconds: index.reference_time_unix })).records;
    expect(record?.closedUptimeNs).toBe(1724600000000000001n - 7195354506471n);
  });

  it('keeps worker timeouts to the nanosecond', () => {
    const blocked = outcome.records.find(({ peerId }) => peerId === index.records[47]?.peerId);
    expect(blocked?.workerTimeoutNs).toBe(1724673012000000123n);
  });

  it('is stake by the list, sorted, and dated not before its records', () => {
    const staked = index.records.slice(0, 19).map(({ peerId }) => peerId);
    const unknown = '12D3KooWGRUkVPfhRSuUQTNaUtBPzWDgKGX2vPtCAgwdCMUSYfzr';
    const imported = unwrap(
      importRecords(sample, { referenceTimeSeconds: index.reference_time_unix, staked: [...staked, unknown] }),
    );
    expect(imported.records.filter(({ stake }) => stake?.isStaked === true)).toHaveLength(19);
    expect(imported.stakedWithoutRecord).toEqual([unknown]);
    expect(imported.records.map(({ peerId }) => peerId)).toEqual(imported.records.map(({ peerId }) => peerId).sort());
    expect(imported.latestTimeSeconds).toBe(1728993600);
  });
});

describe('a file', () => {
  it.each([
    ['that is no JSON', '[{', 'undecodable'],
    ['that is nested without end', '['.repeat(200_000), 'undecodable'],
    ['that is no list', '{}', 'import-not-a-list'],
    ['that holds a list', '{"data": []}', 'import-not-a-list'],
    ['with a line that is no JSON', '{"peerId": "x"}\n{"peerId": ', 'undecodable'],
    ['in columns', 'peerId,version\nx,v1\n', 'undecodable'],
  ])('%s is refused', (_, text, code) => {
    expect(importRecords(text, { referenceTimeSeconds: 1 })).toMatchObject({ ok: false, refusal: { code } });
  });

  it('with one record a line is what a list of them is, and one record is a list of one', () => {
    const options = { referenceTimeSeconds: index.reference_time_unix };
    const list = parseWithDigits(sample);
    const lines = list.map((record) => `${stringifyWithDigits(record)}\r\n`);
    expect(importRecords(`\n${lines.join('\n')}`, options)).toEqual(importRecords(sample, options));
    expect(importRecords(lines[38]!, options)).toEqual(importRecords(`[${lines[38]!}]`, options));
  });

  it('with a line that is no record is judged line by line', () => {
    const { report } = unwrap(importRecords('{"peerId": "x"}\n7\n', { referenceTimeSeconds: 1 }));
    expect(report.map(codesOf)).toEqual([['peer-id-invalid'], ['record-malformed']]);
  });

  it('with a staked peer id that does not parse is refused, as the operator erred', () => {
    expect(importRecords('[]', { referenceTimeSeconds: 1, staked: ['x'] })).toMatchObject({
      ok: false,
      refusal: { code: 'peer-id-invalid' },
    });
  });
});
