import { describe, expect, it } from 'vitest';
import { isActive, deriveNodeData, stringifyWithDigits } from '../../src/ledger/record-view.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { NO_CAPABILITIES, peerOf, START } from './nodes.ts';
import { ZERO_HASH } from '../../src/base/hash.ts';

const DAY = 86_400;

const record: NodeRecord = {
  kind: 'record',
  peerId: peerOf(1, 'secp256k1'),
  origin: 'event',
  multiaddrs: ['/ip4/192.0.2.10/udp/4001/quic-v1', '/ip4/203.0.113.20/tcp/4001'],
  version: 'v0.8.4',
  ...NO_CAPABILITIES,
  isTwitterScraper: true,
  isLlmServer: false,
  stake: { isStaked: true, attestedAt: START - 5, proposal: null, reference: 'genesis import' },
  activity: 'joined',
  firstJoined: START - 20_000 * DAY,
  lastJoined: START - 9 * DAY,
  lastLeft: START - 10 * DAY,
  lastHeard: START,
  lastUpdated: START,
  closedUptimeNs: 869_769_086_152_879_379n,
  workerTimeoutNs: 1_724_673_012_000_000_123n,
  lastSeq: 1,
  lastEventId: ZERO_HASH,
};

const reader = { nowSeconds: START + 60, isValidator: false, parameters: { livenessWindowSeconds: 3600 } };

describe('the view of a record', () => {
  it('has the names and the order that users of masa-oracle know, and integers in full', () => {
    expect(stringifyWithDigits(deriveNodeData(record, reader))).toBe(
      '{"multiaddrs":["/ip4/192.0.2.10/udp/4001/quic-v1","/ip4/203.0.113.20/tcp/4001"],' +
        '"multiaddrsString":"/ip4/192.0.2.10/udp/4001/quic-v1 /ip4/203.0.113.20/tcp/4001",' +
        `"peerId":"${record.peerId}","firstJoined":${START - 20_000 * DAY},"lastJoined":${START - 9 * DAY},` +
        `"lastUpdated":${START},"uptime":777600000000000,"uptimeStr":"9 days 0 hours 0 minutes",` +
        '"accumulatedUptime":869769086152879379,"accumulatedUptimeStr":"10066 days 18 hours 31 minutes",' +
        '"ethAddress":"0x8C23ff7a883C2FaF406E5e7698d0984717B0C5CC","isActive":true,"isStaked":true,"isValidator":false,' +
        '"isTwitterScraper":true,"isDiscordScraper":false,"isTelegramScraper":false,"isWebScraper":false,' +
        '"version":"v0.8.4","workerTimeout":"2024-08-26T11:50:12.000000123Z",' +
        `"lastLeft":${START - 10 * DAY},"lastHeard":${START},` +
        `"stakeAttestedAt":${START - 5},"stakeReference":"genesis import"}`,
    );
  });

  it('leaves out what is empty', () => {
    const bare: NodeRecord = {
      ...record,
      peerId: peerOf(1),
      multiaddrs: [],
      stake: null,
      activity: 'left',
      firstJoined: START,
      lastJoined: START,
      lastLeft: START,
      closedUptimeNs: 0n,
      workerTimeoutNs: null,
    };
    expect(stringifyWithDigits(deriveNodeData(bare, reader))).toBe(
      `{"peerId":"${bare.peerId}","firstJoined":${START},"lastJoined":${START},"lastUpdated":${START},` +
        '"activity":1,"isActive":false,"isStaked":false,"isValidator":false,"isTwitterScraper":true,' +
        '"isDiscordScraper":false,"isTelegramScraper":false,"isWebScraper":false,"version":"v0.8.4",' +
        `"workerTimeout":"0001-01-01T00:00:00Z","lastLeft":${START},"lastHeard":${START}}`,
    );
  });

  it.each([
    [0, undefined],
    [59, '1 minutes'],
    [29, '0 minutes'],
    [30, '1 minutes'],
    [3599, '1 hours 0 minutes'],
    [2 * DAY + 3 * 3600 + 120, '2 days 3 hours 2 minutes'],
  ])('words %i s of uptime as %s', (seconds, text) => {
    const open = { ...record, lastJoined: START - seconds };
    expect(deriveNodeData(open, reader).uptimeStr).toBe(text);
  });

  it("is active by the reader's clock, to the second, and never once the node has left", () => {
    const at = (nowSeconds: number): boolean => isActive(record, { ...reader, nowSeconds });
    expect([at(START), at(START + 3600), at(START + 3601), at(START - 5)]).toEqual([true, true, false, true]);
    expect(isActive({ ...record, activity: 'left' }, reader)).toBe(false);
  });
});

describe('JSON with digits', () => {
  it('writes bigints at any depth and leaves out undefined', () => {
    const value = { a: [1n, { b: 2n ** 70n, c: undefined }], d: null, e: [undefined], 'f"': 'g"' };
    expect(stringifyWithDigits(value)).toBe('{"a":[1,{"b":1180591620717411303424}],"d":null,"e":[null],"f\\"":"g\\""}');
  });
});
