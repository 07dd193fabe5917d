/** Decoders of what other servers of a Raft cluster send: Go's encoding, of which one value has many forms. */
import { isDeepStrictEqual } from 'node:util';
import { assert } from '../../src/base/assert.ts';
import { concatBytes } from '../../src/base/bytes.ts';
import { unwrap, type Result } from '../../src/base/result.ts';
import type { RaftRequest } from '../../src/raft/messages.ts';
import {
  configurationCodec,
  decodeConfiguration,
  decodePeers,
  encodeConfiguration,
  encodePeers,
} from '../../src/raft/wire/configuration-codec.ts';
import { DEFAULT_DIALECT, type Dialect } from '../../src/raft/wire/dialect.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from '../../src/raft/wire/limits.ts';
import { decodeRequest, encodeRequest, requestKindOf, type RequestKind } from '../../src/raft/wire/request-codec.ts';
import { RequestParser } from '../../src/raft/wire/request-parser.ts';
import { decodeResponse, encodeResponse, type WireResponse } from '../../src/raft/wire/response-codec.ts';
import { bytesOf, captured } from '../raft/wire/vectors.ts';
import { decoder } from './decoder.ts';

/** As in production but smaller, so that an input above the bound is none of 64 MiB. */
const MAX_BYTES = 64 << 10;
const LIMITS: WireLimits = { ...DEFAULT_WIRE_LIMITS, maxRequestBytes: MAX_BYTES, maxResponseBytes: MAX_BYTES };
const KEPT: Dialect = { ...DEFAULT_DIALECT, appendedAt: 'kept' };

const NO_ERROR = Uint8Array.of(0xa0);
const TYPES: readonly RequestKind[] = ['appendEntries', 'requestVote', 'installSnapshot', 'timeoutNow', 'preVote'];

function ofKind(kind: RequestKind, field: 'request' | 'response'): readonly Uint8Array[] {
  return captured
    .filter(({ request }) => requestKindOf(bytesOf(request)[0] as number) === kind)
    .map((vector) => bytesOf(vector[field]).subarray(1));
}

/** What comes in two pieces is what comes in one. */
function inPieces(kind: RequestKind, bytes: Uint8Array, whole: Result<RaftRequest>): void {
  const parser = new RequestParser(LIMITS);
  parser.push(concatBytes(Uint8Array.of(TYPES.indexOf(kind)), bytes.subarray(0, bytes.length >> 1)));
  let parsed = parser.next();
  const isHalf = parsed === undefined;
  if (isHalf) {
    parser.push(bytes.subarray(bytes.length >> 1));
    parsed = parser.next();
  }
  if (whole.ok)
    assert(
      isDeepStrictEqual(parsed?.ok === true && parsed.value, { ...request(whole.value), bytes: bytes.length }),
      'a request is the same in pieces',
    );
  else if (isHalf && parsed?.ok === true && parsed.value.kind === 'request') {
    assert(parsed.value.bytes < bytes.length, 'what is refused in one is refused in pieces', {
      code: whole.refusal.code,
    });
  }
}

const request = (value: RaftRequest) => ({ kind: 'request', request: value });

function requestDecoder(kind: RequestKind) {
  return decoder({
    name: `raft request: ${kind}`,
    covers: kind === 'appendEntries' ? ['raft/wire/request-codec.ts#decodeRequest'] : [],
    format: 'messagepack',
    maxBytes: MAX_BYTES,
    samples: () => ofKind(kind, 'request'),
    decode(bytes) {
      const whole = decodeRequest(kind, bytes, LIMITS);
      inPieces(kind, bytes, whole);
      return whole;
    },
    encode: null,
    check(value) {
      const again = unwrap(decodeRequest(kind, encodeRequest(value, KEPT).subarray(1)));
      assert(isDeepStrictEqual(again, value), 'a request survives being encoded', { kind });
    },
  });
}

/** Of no error, so that it is one value. */
function responseDecoder(kind: RequestKind) {
  return decoder<WireResponse>({
    name: `raft response: ${kind}`,
    covers: kind === 'appendEntries' ? ['raft/wire/response-codec.ts#decodeResponse'] : [],
    format: 'messagepack',
    maxBytes: MAX_BYTES,
    samples: () => ofKind(kind, 'response'),
    decode: (bytes) => decodeResponse(kind, concatBytes(NO_ERROR, bytes), LIMITS),
    encode: null,
    check(value) {
      const again = unwrap(decodeResponse(kind, encodeResponse(value, KEPT)));
      assert(isDeepStrictEqual(again.response, value.response), 'a response survives being encoded', { kind });
    },
  });
}

function entryData(type: number): readonly Uint8Array[] {
  return captured.flatMap(({ request: hex }) => {
    const bytes = bytesOf(hex);
    const message = decodeRequest(requestKindOf(bytes[0] as number) ?? 'preVote', bytes.subarray(1));
    if (!message.ok || message.value.kind !== 'appendEntries') return [];
    return (message.value.entries ?? []).flatMap((entry) => (entry.type === type && entry.data ? [entry.data] : []));
  });
}

export const raftDecoders = [
  ...TYPES.map(requestDecoder),
  ...TYPES.map(responseDecoder),
  decoder({
    name: 'raft configuration',
    covers: [
      'raft/wire/configuration-codec.ts#decodeConfiguration',
      'raft/wire/configuration-codec.ts#configurationCodec',
      'raft/wire/configuration-codec.ts#decodeWith',
    ],
    format: 'messagepack',
    maxBytes: MAX_BYTES,
    samples: () => entryData(5),
    decode: (bytes) => decodeConfiguration(bytes, LIMITS),
    encode: null,
    check(value) {
      const data = encodeConfiguration(value);
      const entry = { index: 1, term: 1, type: 5, data, extensions: null, appendedAt: undefined } as const;
      const again = unwrap(configurationCodec.decode(entry));
      assert(isDeepStrictEqual(again, value), 'a configuration survives being encoded');
    },
  }),
  decoder({
    name: 'raft peers',
    covers: ['raft/wire/configuration-codec.ts#decodePeers'],
    format: 'messagepack',
    maxBytes: MAX_BYTES,
    samples: () => entryData(3),
    decode: (bytes) => decodePeers(bytes, LIMITS),
    encode: null,
    check(value) {
      assert(isDeepStrictEqual(unwrap(decodePeers(encodePeers(value))), value), 'peers survive being encoded');
    },
  }),
];
