import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes, toHex } from '../../../src/base/bytes.ts';
import { Random } from '../../../src/base/random.ts';
import { unwrap } from '../../../src/base/result.ts';
import type { RaftRequest } from '../../../src/raft/messages.ts';
import { DEFAULT_DIALECT } from '../../../src/raft/wire/dialect.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from '../../../src/raft/wire/limits.ts';
import { encodeRequest, requestKindOf, type RequestKind } from '../../../src/raft/wire/request-codec.ts';
import { RequestParser } from '../../../src/raft/wire/request-parser.ts';
import { encodeResponse } from '../../../src/raft/wire/response-codec.ts';
import { ResponseParser } from '../../../src/raft/wire/response-parser.ts';
import { bytesOf, captured, crafted, dialectOf } from './vectors.ts';

interface Seen {
  readonly requests: readonly RaftRequest[];
  readonly body: Uint8Array;
  readonly refusal: string | undefined;
  readonly unsupported: number;
}

/** All that comes out of the pieces. */
function parse(pieces: readonly Uint8Array[], limits: WireLimits = DEFAULT_WIRE_LIMITS): Seen {
  const parser = new RequestParser(limits);
  const requests: RaftRequest[] = [];
  const body: Uint8Array[] = [];
  let [refusal, unsupported]: [string | undefined, number] = [undefined, 0];
  for (const piece of pieces) {
    if (refusal === undefined) parser.push(piece);
    for (let next = parser.next(); next !== undefined; next = parser.next()) {
      if (!next.ok) {
        refusal = next.refusal.code;
        break;
      }
      if (next.value.kind === 'request') requests.push(next.value.request);
      else if (next.value.kind === 'body') body.push(next.value.bytes);
      else unsupported++;
    }
  }
  return { requests, body: new Uint8Array(Buffer.concat(body)), refusal, unsupported };
}

function cut(bytes: Uint8Array, size: (at: number) => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + Math.max(1, size(at)));
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

/** Every captured request behind the other, with a snapshot's bytes where they belong. */
const BODY = new Uint8Array(71_617).map((_, i) => i * 31);
const stream = concatBytes(
  ...captured.flatMap(({ request, streamedBytesAfterRequest }) => [
    bytesOf(request),
    streamedBytesAfterRequest === undefined ? new Uint8Array(0) : BODY,
  ]),
);
const responses = [...captured, ...crafted].filter(({ response }) => response !== '');

function kindOf(hex: string): RequestKind {
  return requestKindOf(bytesOf(hex)[0] as number) as RequestKind;
}

const large = (bytes: number): RaftRequest => ({
  ...{ kind: 'appendEntries', protocolVersion: 3, sender: { id: 'a', address: 'b' }, term: 1, leader: 'b' },
  ...{ prevIndex: 0, prevTerm: 0, commitIndex: 0 },
  entries: Array.from({ length: 64 }, (_, i) => ({
    ...{ index: i + 1, term: 1, type: 0, extensions: null, appendedAt: undefined },
    data: new Uint8Array(bytes / 64).fill(i),
  })),
});

describe('requests', () => {
  const whole = parse([stream]);

  test('are found in a stream of all that was captured', () => {
    expect(whole).toMatchObject({ refusal: undefined, unsupported: 0 });
    expect(
      whole.requests.map((request, i) => toHex(encodeRequest(request, dialectOf(captured[i]?.lib ?? '')))),
    ).toEqual(captured.map(({ request }) => request));
    expect(equalBytes(whole.body, concatBytes(BODY, BODY))).toBe(true);
  });

  test('are the same ones byte by byte, and in pieces of any size', () => {
    const random = new Random(1);
    for (const size of [() => 1, () => 2, () => 7, () => 4096, () => random.below(300)]) {
      const seen = parse(cut(stream, size));
      expect(seen.requests).toEqual(whole.requests);
      expect(equalBytes(seen.body, whole.body)).toBe(true);
      expect(seen.refusal).toBe(undefined);
    }
  });

  test('of an unknown type end the connection, also behind others', () => {
    const first = bytesOf(captured[0]?.request ?? '');
    for (const type of [5, 9, 0x3f, 0x40, 0xff]) {
      const seen = parse([concatBytes(first, Uint8Array.of(type), first)]);
      expect([seen.requests.length, seen.refusal]).toEqual([1, 'raft-rpc-unknown']);
    }
  });

  test('that cannot be decoded end the connection', () => {
    for (const { request, connectionClosedByGo, name } of crafted) {
      const seen = parse(cut(bytesOf(request), () => 3));
      if (name.includes('unknown rpc type')) expect(seen.refusal).toBe('raft-rpc-unknown');
      else if (name.includes('garbage')) expect(seen.requests).toEqual([]);
      else
        expect([seen.refusal, connectionClosedByGo === true && !name.includes('PreVote')]).toEqual([undefined, false]);
    }
  });

  test('a snapshot of an unknown version is told with its size, and what follows it is parsed', () => {
    const vector = crafted.find(({ name }) => name.includes('unsupported version 2'));
    const next = bytesOf(captured[0]?.request ?? '');
    const bytes = bytesOf(vector?.request ?? '');
    for (const size of [() => 1, () => 1000]) {
      const seen = parse(cut(concatBytes(bytes, next), size));
      expect(seen).toMatchObject({ unsupported: 1, refusal: undefined, body: new Uint8Array(1) });
      expect(seen.requests).toHaveLength(1);
    }
  });

  test('are refused as soon as what they announce is above the bound', () => {
    const limits = { ...DEFAULT_WIRE_LIMITS, maxRequestBytes: 1000 };
    for (const hex of [
      '0081a64c6561646572db7fffffff',
      '0081a7456e7472696573dd7fffffff',
      '00df7fffffff',
      '0081a161c9ffffffff',
    ])
      expect(parse([bytesOf(hex)], limits).refusal).toBe('raft-limit-exceeded');
    expect(parse([bytesOf(`0081a161${'91'.repeat(40)}`)]).refusal).toBe('raft-limit-exceeded');
    expect(
      parse(
        cut(encodeRequest(large(1024), DEFAULT_DIALECT), () => 10),
        limits,
      ).refusal,
    ).toBe('raft-limit-exceeded');
    expect(
      parse([encodeRequest(large(640), DEFAULT_DIALECT)], { ...limits, maxRequestBytes: 10_000 }).requests,
    ).toHaveLength(1);
  });

  test('of a large size cost as much by piece as they do in one', () => {
    const bytes = encodeRequest(large(16 << 20), DEFAULT_DIALECT);
    const timeOf = (pieces: readonly Uint8Array[]): number => {
      const start = performance.now();
      const seen = parse(pieces);
      expect([seen.requests.length, seen.refusal]).toEqual([1, undefined]);
      return performance.now() - start;
    };
    const pieces = cut(bytes, () => 64 << 10);
    const best = Math.min(timeOf(pieces), timeOf(pieces), timeOf(pieces));
    // Were each piece copied with all before it, 2 GiB would be.
    expect(best).toBeLessThan(500);
    const small = cut(encodeRequest(large(1 << 17), DEFAULT_DIALECT), () => 1);
    expect(timeOf(small)).toBeLessThan(5000);
  });

  test('hold views of what was read, not copies', () => {
    const bytes = encodeRequest(large(6400), DEFAULT_DIALECT);
    const [request] = parse([bytes]).requests;
    const data = request?.kind === 'appendEntries' ? request.entries?.map((entry) => entry.data?.buffer) : undefined;
    expect(new Set(data)).toEqual(new Set([bytes.buffer]));
  });

  test('tell whether a connection ends within one', () => {
    const parser = new RequestParser();
    const bytes = bytesOf(captured[0]?.request ?? '');
    expect(parser.isWithinRequest).toBe(false);
    parser.push(bytes.subarray(0, 20));
    expect(parser.next()).toBe(undefined);
    expect([parser.isWithinRequest, parser.gatheredBytes]).toEqual([true, 19]);
    parser.push(bytes.subarray(20));
    expect(parser.next()?.ok).toBe(true);
    expect([parser.isWithinRequest, parser.gatheredBytes]).toEqual([false, 0]);
  });
});

describe('responses', () => {
  const all = concatBytes(...responses.map(({ response }) => bytesOf(response)));

  test.each([1, 2, 5, 100, 1 << 20])('are found in a stream of all that was captured, by %i bytes', (size) => {
    const parser = new ResponseParser();
    const seen: string[] = [];
    for (const piece of cut(all, () => size)) {
      parser.push(piece);
      while (seen.length < responses.length) {
        const vector = responses[seen.length];
        const next = parser.next(kindOf(vector?.request ?? ''));
        if (next === undefined) break;
        seen.push(toHex(encodeResponse(unwrap(next), dialectOf(vector?.lib ?? ''))));
      }
    }
    expect(seen).toEqual(responses.map(({ response }) => response));
    expect(parser.hasBytes).toBe(false);
  });

  test('that are no response are refused', () => {
    const code = (hex: string, limits = DEFAULT_WIRE_LIMITS): string => {
      const parser = new ResponseParser(limits);
      parser.push(bytesOf(hex));
      const next = parser.next('preVote');
      return next === undefined ? 'more' : next.ok ? 'accepted' : next.refusal.code;
    };
    expect(code('a0c0')).toBe('accepted');
    expect(code('a0')).toBe('more');
    expect(code('a090')).toBe('undecodable');
    expect(code('c1')).toBe('undecodable');
    expect(code('a081a45465726dff')).toBe('undecodable');
    expect(code('db00100000')).toBe('raft-limit-exceeded');
  });
});
