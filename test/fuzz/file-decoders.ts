/** Decoders of what operators hand in: files, keys, requests on the control socket, and the texts within. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeBase58 } from '../../src/base/base58.ts';
import { fromBase64, toBase64 } from '../../src/base/base64.ts';
import { fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import { assert } from '../../src/base/assert.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { ok, refuse, unwrap, type Result } from '../../src/base/result.ts';
import { chainIdOf, formatGenesis, parseGenesis, type Genesis } from '../../src/ledger/genesis.ts';
import { parsePeerId } from '../../src/ledger/identity.ts';
import { importRecords } from '../../src/ledger/import.ts';
import { normaliseAddresses } from '../../src/ledger/multiaddrs.ts';
import { nodeEntryCodec, type NodeRecord } from '../../src/ledger/record.ts';
import { deriveNodeData, stringifyWithDigits } from '../../src/ledger/record-view.ts';
import { formatRfc3339, parseRfc3339 } from '../../src/ledger/rfc3339.ts';
import { parsePeer } from '../../src/net/dialling.ts';
import { readAddressFile } from '../../src/node/address-book.ts';
import { registrationOf } from '../../src/node/bls-key.ts';
import { parseConfig } from '../../src/node/config.ts';
import { parseRaftChange } from '../../src/node/control-raft.ts';
import { parseReadRequest } from '../../src/node/control.ts';
import { parseBlocksRequest, parseRowsRequest } from '../../src/node/control-replay.ts';
import { genesisValidatorOf } from '../../src/node/genesis-file.ts';
import { identityKeyFromProtobuf } from '../../src/node/keys.ts';
import { parseClusterList, signClusterList } from '../../src/node/raft/cluster-list.ts';
import { checkSecretKey } from '../../src/qc/keys.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { START } from '../ledger/nodes.ts';
import { secretKey } from '../qc/validators.ts';
import { lazily, ledger, signers } from './corpus.ts';
import { decoder } from './decoder.ts';

const PEER_IDS = signers.map(({ peerId }) => peerId);
/** What a file is read with: whatever is no UTF-8 becomes a replacement character. */
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

const FILE_BYTES = 256 << 10;

const olderRecords = lazily(() => {
  const file = new URL('../fixtures/nodedata/nodedata-sample.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as readonly unknown[];
});

function importOf(text: string) {
  return importRecords(text, { referenceTimeSeconds: START, staked: PEER_IDS.slice(0, 2) });
}

/** Of a chain that began with the older ones: one alone, and several, each a line. */
function exportedRecords(): readonly Uint8Array[] {
  const reader = { nowSeconds: START, isValidator: false, parameters: { livenessWindowSeconds: 3600 } };
  const { records } = unwrap(importOf(JSON.stringify(olderRecords())));
  const lines = records.map((record) => stringifyWithDigits(deriveNodeData(record, reader)));
  return [utf8(lines[0] ?? ''), utf8(lines.slice(1, 5).join('\n'))];
}

function genesisFiles(): readonly Uint8Array[] {
  const { genesis } = ledger();
  const records = unwrap(importOf(JSON.stringify(olderRecords()))).records.slice(0, 2);
  const timestamp = START + 100 * 86_400;
  return [genesis, { ...genesis, timestamp, records, commitDepth: 3 as const }].map((each) =>
    utf8(formatGenesis(each)),
  );
}

/** What a replica keeps of a record is the record. */
function checkKept(records: readonly NodeRecord[]): void {
  for (const record of records) {
    const kept = unwrap(nodeEntryCodec.decode(nodeEntryCodec.encode(record)));
    assert(isDeepStrictEqual(JSON.parse(plain(kept)), JSON.parse(plain(record))), 'a record is kept as it is', {
      record: plain(record),
    });
  }
}

function plain(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member));
}

function checkGenesis(genesis: Genesis): void {
  checkKept(genesis.records);
  const again = unwrap(parseGenesis(formatGenesis(genesis)));
  assert(chainIdOf(again) === chainIdOf(genesis), 'a genesis survives being written', {});
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return undefined;
  }
}

function found<T>(value: T | undefined): Result<T> {
  return value === undefined ? refuse('undecodable', 'the text is not of this form') : ok(value);
}

const addressFile = lazily(() => join(mkdtempSync(join(tmpdir(), 'hotledger-fuzz-')), 'addresses.json'));

export const fileDecoders = [
  decoder({
    name: 'genesis file',
    covers: ['ledger/genesis.ts#parseGenesis'],
    format: 'json',
    maxBytes: FILE_BYTES,
    isBoundedByCaller: true,
    samples: lazily(genesisFiles),
    decode: (bytes) => parseGenesis(textOf(bytes)),
    encode: null,
    check: checkGenesis,
  }),
  decoder({
    name: 'older records',
    covers: ['ledger/import.ts#importRecords'],
    format: 'json',
    maxBytes: FILE_BYTES,
    isBoundedByCaller: true,
    samples: lazily(() => [
      ...olderRecords().map((record) => utf8(JSON.stringify([record]))),
      utf8(JSON.stringify(olderRecords().slice(0, 5))),
      ...exportedRecords(),
    ]),
    decode: (bytes) => importOf(textOf(bytes)),
    encode: null,
    check: ({ records }) => checkKept(records),
  }),
  decoder({
    name: 'registration',
    covers: ['node/genesis-file.ts#genesisValidatorOf'],
    format: 'json',
    maxBytes: FILE_BYTES,
    isBoundedByCaller: true,
    samples: lazily(() =>
      PEER_IDS.map((peerId, i) =>
        utf8(JSON.stringify(registrationOf(peerId, secretKey(i + 1), ['/ip4/203.0.113.1/tcp/4001'], nativeScheme))),
      ),
    ),
    decode: (bytes) => genesisValidatorOf(jsonOf(bytes)),
    encode: null,
  }),
  decoder({
    name: 'configuration',
    covers: ['node/config.ts#parseConfig'],
    format: 'json',
    maxBytes: FILE_BYTES,
    isBoundedByCaller: true,
    samples: () =>
      [
        { genesis: '/g.json', dataDirectory: '/data' },
        {
          ...{
            genesis: '/g.json',
            dataDirectory: '/data',
            identityKeyFile: '/k',
            blsKeyFile: '/b',
            addressFiles: ['/a'],
          },
          listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/4001'],
          bootstrap: [`/dns4/boot.example/tcp/4001/p2p/${PEER_IDS[0]}`],
          submission: { policy: 'allow-list', allow: PEER_IDS, eventsPerSecond: 5 },
          ...{ pacemaker: { baseTimeoutMs: 200 }, limits: { connections: 9 }, log: { level: 'debug', file: '/l' } },
        },
      ].map((config) => utf8(JSON.stringify(config))),
    decode: (bytes) => ok(parseConfig(jsonOf(bytes))),
    encode: null,
  }),
  decoder({
    name: 'address file',
    covers: ['node/address-book.ts#readAddressFile'],
    format: 'json',
    maxBytes: FILE_BYTES,
    isBoundedByCaller: true,
    samples: () => [utf8(JSON.stringify({ peerId: PEER_IDS[0], pid: 7, addresses: ['/ip4/127.0.0.1/tcp/4001'] }))],
    decode(bytes) {
      writeFileSync(addressFile(), bytes);
      return found(readAddressFile(addressFile()));
    },
    encode: null,
  }),
  decoder({
    name: 'control request',
    covers: ['node/control.ts#parseReadRequest'],
    format: 'json',
    maxBytes: 16 * 1024,
    isBoundedByCaller: true,
    samples: () =>
      [{ peerId: PEER_IDS[0] }, { peerId: PEER_IDS[1], maxAgeMs: 30_000, from: '/ip4/127.0.0.1/tcp/1' }].map((body) =>
        utf8(JSON.stringify(body)),
      ),
    decode: (bytes) => parseReadRequest(jsonOf(bytes)),
    encode: null,
  }),
  decoder({
    name: 'range of blocks that a replay asks for',
    covers: ['node/control-replay.ts#parseBlocksRequest'],
    format: 'json',
    maxBytes: 16 * 1024,
    isBoundedByCaller: true,
    samples: () => [{ from: '1', to: '900' }].map((query) => utf8(JSON.stringify(query))),
    decode: (bytes) => parseBlocksRequest(jsonOf(bytes)),
    encode: null,
  }),
  decoder({
    name: 'range of rows that a replay asks for',
    covers: ['node/control-replay.ts#parseRowsRequest'],
    format: 'json',
    maxBytes: 16 * 1024,
    isBoundedByCaller: true,
    samples: () => [{ gte: '53', lt: '54' }, { gt: '5361' }].map((query) => utf8(JSON.stringify(query))),
    decode: (bytes) => parseRowsRequest(jsonOf(bytes)),
    encode: null,
  }),
  decoder({
    name: 'change of a Raft cluster',
    covers: ['node/control-raft.ts#parseRaftChange'],
    format: 'json',
    maxBytes: 16 * 1024,
    isBoundedByCaller: true,
    samples: () =>
      [
        { kind: 'add-voter', id: 'n4', address: '203.0.113.4:4101' },
        { kind: 'remove', id: 'n1' },
      ].map((change) => utf8(JSON.stringify(change))),
    decode: (bytes) => parseRaftChange(jsonOf(bytes)),
    encode: null,
  }),
  decoder({
    name: 'list of a Raft cluster',
    covers: ['node/raft/cluster-list.ts#parseClusterList'],
    format: 'json',
    maxBytes: FILE_BYTES,
    isBoundedByCaller: true,
    samples: lazily(() => {
      const servers = [1, 2, 3].map((n) => ({ id: `n${n}`, address: `203.0.113.${n}:4101` }));
      const operator = identityKeyFromProtobuf((signers[0] as (typeof signers)[number]).protobuf);
      return [null, sha256Hex(utf8('a history'))].map((history) =>
        utf8(JSON.stringify(signClusterList({ version: 3, history, servers }, unwrap(operator)))),
      );
    }),
    decode: (bytes) => parseClusterList(jsonOf(bytes)),
    encode: null,
    check(list) {
      const again = unwrap(parseClusterList(JSON.parse(JSON.stringify(list))));
      assert(isDeepStrictEqual(again, list), 'a list survives being written', { version: list.version });
    },
  }),
  decoder({
    name: 'identity key',
    covers: ['node/keys.ts#identityKeyFromProtobuf'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () => signers.map(({ protobuf }) => protobuf),
    decode: identityKeyFromProtobuf,
    encode: ({ protobuf }) => protobuf,
  }),
  decoder({
    name: 'BLS secret key',
    covers: ['qc/keys.ts#checkSecretKey'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () => [1, 2, 3].map(secretKey),
    decode(bytes) {
      const checked = checkSecretKey(bytes);
      return checked.ok ? ok(nativeScheme.publicKeyOf(bytes)) : checked;
    },
    encode: null,
  }),
  decoder({
    name: 'peer id',
    covers: ['ledger/identity.ts#parsePeerId', 'net/dialling.ts#parsePeer', 'base/base58.ts#decodeBase58'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () => [...PEER_IDS.map(utf8), ...PEER_IDS.map((peerId) => utf8(parsePeer(peerId).toCID().toString()))],
    decode: (bytes) => parsePeerId(textOf(bytes)),
    encode: null,
    check({ peerId, publicKey }) {
      assert(unwrap(parsePeerId(peerId)).peerId === peerId, 'the canonical form is canonical', { peerId });
      assert(toHex(decodeBase58(peerId) ?? utf8('')).endsWith(toHex(publicKey)), 'a peer id holds its key', { peerId });
    },
  }),
  decoder({
    name: 'multiaddr',
    covers: ['ledger/multiaddrs.ts#normaliseAddresses'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () =>
      [
        ...['/ip4/203.0.113.7/tcp/4001', '/ip6/2001:db8::1/udp/4001/quic-v1', '/dns4/a.example/tcp/443/wss'],
        `/ip4/203.0.113.7/tcp/4001/p2p/${PEER_IDS[0]}`,
        '/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ/p2p-circuit',
      ].map(utf8),
    decode: (bytes) => normaliseAddresses(PEER_IDS[0] as string, [textOf(bytes)]),
    encode: null,
    check(addresses) {
      const again = unwrap(normaliseAddresses(PEER_IDS[0] as string, addresses));
      assert(isDeepStrictEqual(again, addresses), 'the normal form is normal', { address: addresses.join(' ') });
    },
  }),
  decoder({
    name: 'time',
    covers: ['ledger/rfc3339.ts#parseRfc3339'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () => ['2024-08-26T12:00:00Z', '2024-02-29T23:59:59.123456789+05:30', '0001-01-01T00:00:00Z'].map(utf8),
    decode: (bytes) => found(parseRfc3339(textOf(bytes))),
    encode: null,
    check(ns) {
      if (ns >= 0n) assert(parseRfc3339(formatRfc3339(ns)) === ns, 'a time survives being written', { ns });
    },
  }),
  decoder({
    name: 'hex',
    covers: ['base/bytes.ts#fromHex'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () => signers.map(({ protobuf }) => utf8(toHex(protobuf))),
    decode: (bytes) => found(fromHex(textOf(bytes))),
    encode: (bytes) => utf8(toHex(bytes)),
  }),
  decoder({
    name: 'base64',
    covers: ['base/base64.ts#fromBase64'],
    format: 'bytes',
    maxBytes: 4096,
    isBoundedByCaller: true,
    samples: () => signers.map(({ protobuf }, i) => utf8(toBase64(protobuf.subarray(i)))),
    decode: (bytes) => found(fromBase64(textOf(bytes))),
    encode: (bytes) => utf8(toBase64(bytes)),
  }),
];
