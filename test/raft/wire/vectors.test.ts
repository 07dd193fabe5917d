import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { unwrap } from '../../../src/base/result.ts';
import type { RaftRequest, RaftResponse } from '../../../src/raft/messages.ts';
import {
  configurationCodec,
  configurationOfPeers,
  decodeConfiguration,
  decodePeers,
  encodeConfiguration,
  encodePeers,
} from '../../../src/raft/wire/configuration-codec.ts';
import { decodeRequest, encodeRequest, requestKindOf, type RequestKind } from '../../../src/raft/wire/request-codec.ts';
import { decodeResponse, encodeResponse, type WireResponse } from '../../../src/raft/wire/response-codec.ts';
import { bytesOf, captured, crafted, dialectOf, errorVectors, type RpcVector } from './vectors.ts';

function requestOf(hex: string): RaftRequest {
  const bytes = bytesOf(hex);
  return unwrap(decodeRequest(kindOf(hex), bytes.subarray(1)));
}

function kindOf(hex: string): RequestKind {
  const kind = requestKindOf(bytesOf(hex)[0] as number);
  if (kind === undefined) throw new TypeError(`no request: ${hex}`);
  return kind;
}

const titled = (vectors: readonly RpcVector[]) => vectors.map((vector) => [vector.lib, vector.name, vector] as const);

/** As the capture shows bytes: as text where they are some, and else in digits. */
function shown(bytes: Uint8Array | null | undefined): unknown {
  if (bytes === null || bytes === undefined) return null;
  const isText = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText ? Buffer.from(bytes).toString('latin1') : `hex:${toHex(bytes)}`;
}

/** The message in the words of the capture, what it does not tell of itself taken from there. */
function inGoWords(request: RaftRequest): Record<string, unknown> {
  const header = {
    ...{ ProtocolVersion: request.protocolVersion, Addr: request.sender.address, ID: request.sender.id },
  };
  switch (request.kind) {
    case 'appendEntries':
      return {
        ...{ rpcType: 0, ...header, Term: request.term, Leader: request.leader, PrevLogEntry: request.prevIndex },
        ...{ PrevLogTerm: request.prevTerm, LeaderCommitIndex: request.commitIndex },
        Entries:
          request.entries?.map(({ index, term, type, data, extensions, appendedAt }) => ({
            ...(appendedAt !== undefined && { AppendedAt: shown(appendedAt) }),
            ...{ Data: shown(data), Extensions: shown(extensions), Index: index, Term: term, Type: type },
          })) ?? null,
      };
    case 'requestVote':
      return {
        ...{ rpcType: 1, ...header, Term: request.term, Candidate: request.candidate },
        ...{ LastLogIndex: request.lastIndex, LastLogTerm: request.lastTerm, LeadershipTransfer: request.isTransfer },
      };
    case 'installSnapshot':
      return {
        ...{ rpcType: 2, ...header, Term: request.term, Leader: request.leader, Size: request.sizeBytes },
        ...{ LastLogIndex: request.lastIndex, LastLogTerm: request.lastTerm, SnapshotVersion: 1 },
        Configuration: shown(encodeConfiguration(request.configuration)),
        ConfigurationIndex: request.configurationIndex,
        Peers: shown(encodePeers(request.configuration.servers.map(({ address }) => address))),
      };
    case 'timeoutNow':
      return { rpcType: 3, ...header };
    case 'preVote':
      return {
        ...{ rpcType: 4, ...header, Term: request.term },
        ...{ LastLogIndex: request.lastIndex, LastLogTerm: request.lastTerm },
      };
  }
}

function answerInGoWords({ error, response, protocolVersion, sender, peers }: WireResponse): Record<string, unknown> {
  const header = { ProtocolVersion: protocolVersion, Addr: sender.address, ID: sender.id };
  return { error, ...header, ...(response === null ? {} : ofResponse(response, peers)) };
}

function ofResponse(response: RaftResponse, peers: Uint8Array | null): Record<string, unknown> {
  switch (response.kind) {
    case 'appendEntries':
      return {
        ...{ Term: response.term, LastLog: response.lastIndex, Success: response.success },
        NoRetryBackoff: response.noRetryBackoff,
      };
    case 'requestVote':
      return { Term: response.term, Granted: response.granted, Peers: shown(peers) };
    case 'preVote':
      return { Term: response.term, Granted: response.granted };
    case 'installSnapshot':
      return { Term: response.term, Success: response.success };
    case 'timeoutNow':
      return {};
  }
}

/** Fields that the older version does not have are not in its capture. */
function without(words: Record<string, unknown>, vector: RpcVector): Record<string, unknown> {
  const { Addr, ID, ...rest } = words;
  return vector.lib.includes('1.7.3') ? { Addr, ID, ...rest } : rest;
}

/** The capture says beside some entries where their data is explained. */
function unexplained(decoded: unknown): unknown {
  return JSON.parse(JSON.stringify(decoded), (key, value: unknown) => (key === 'DataDecodesTo' ? undefined : value));
}

describe.each(titled(captured))('%s: %s', (_lib, _name, vector) => {
  test('the request says what was captured', () => {
    expect(without(inGoWords(requestOf(vector.request)), vector)).toEqual(unexplained(vector.requestDecoded));
  });

  test('the request is encoded to the same bytes', () => {
    expect(toHex(encodeRequest(requestOf(vector.request), dialectOf(vector.lib)))).toBe(vector.request);
  });

  test('the response says what was captured, and is encoded to the same bytes', () => {
    const answer = unwrap(decodeResponse(kindOf(vector.request), bytesOf(vector.response)));
    expect(without(answerInGoWords(answer), vector)).toEqual(vector.responseDecoded);
    expect(toHex(encodeResponse(answer, dialectOf(vector.lib)))).toBe(vector.response);
  });
});

const answered = crafted.filter(({ response }) => response !== '');

test.each(titled(answered))('%s answers %s with what is encoded to the same bytes', (_lib, _name, vector) => {
  const answer = unwrap(decodeResponse(kindOf(vector.request), bytesOf(vector.response)));
  expect(toHex(encodeResponse(answer, dialectOf(vector.lib)))).toBe(vector.response);
});

test('what Go does not answer it closes on', () => {
  const silent = crafted.filter(({ response }) => response === '');
  expect(silent.length).toBeGreaterThan(3);
  expect(silent.filter(({ connectionClosedByGo }) => connectionClosedByGo !== true)).toEqual([]);
});

test('every error case is among the messages', () => {
  const known = new Set(crafted.map(({ lib, request, response }) => `${lib} ${request} ${response}`));
  expect(errorVectors.length).toBeGreaterThan(30);
  expect(errorVectors.filter(({ lib, request, response }) => !known.has(`${lib} ${request} ${response}`))).toEqual([]);
});

test('every configuration and every list of peers in the log is encoded to the same bytes', () => {
  const entries = captured.flatMap(({ request }) => {
    const message = requestOf(request);
    return message.kind === 'appendEntries' ? (message.entries ?? []) : [];
  });
  const configurations = entries.filter(({ type }) => type === 5).map(({ data }) => data as Uint8Array);
  const lists = entries.filter(({ type }) => type === 3).map(({ data }) => data as Uint8Array);
  expect(configurations.length).toBeGreaterThan(2);
  expect(lists.length).toBeGreaterThan(1);
  for (const bytes of configurations) expect(encodeConfiguration(unwrap(decodeConfiguration(bytes)))).toEqual(bytes);
  for (const bytes of lists) expect(encodePeers(unwrap(decodePeers(bytes)))).toEqual(bytes);
});

test('the engine is given the configuration of an entry, whichever way it is written', () => {
  const servers = [{ id: '127.0.0.1:7251', address: '127.0.0.1:7251', suffrage: 'voter' }] as const;
  const entry = { index: 1, term: 1, extensions: null, appendedAt: undefined };
  const asPeers = { ...entry, type: 3, data: encodePeers(['127.0.0.1:7251']) } as const;
  expect(unwrap(configurationCodec.decode(asPeers))).toEqual({ servers });
  const asConfiguration = { ...entry, type: 5, data: configurationCodec.encode({ servers }) } as const;
  expect(unwrap(configurationCodec.decode(asConfiguration))).toEqual({ servers });
  expect(configurationCodec.decode({ ...asConfiguration, data: null })).toMatchObject({
    refusal: { code: 'undecodable' },
  });
});

test('the addresses of a list of peers all vote and are called by their address', () => {
  expect(configurationOfPeers(['a:1', 'b:2'])).toEqual({
    servers: [
      { id: 'a:1', address: 'a:1', suffrage: 'voter' },
      { id: 'b:2', address: 'b:2', suffrage: 'voter' },
    ],
  });
});
