import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes } from '../../../src/base/bytes.ts';
import type { Entry, EntryType, RaftRequest } from '../../../src/raft/messages.ts';
import { DEFAULT_DIALECT, type Dialect } from '../../../src/raft/wire/dialect.ts';
import { encodeRequest } from '../../../src/raft/wire/request-codec.ts';
import { RequestParser } from '../../../src/raft/wire/request-parser.ts';

const number = fc.oneof(fc.maxSafeNat(), fc.nat(300));
const bytes = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 400 }));
const name = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' });

/** Any that a message can say; empty is not said. */
const entry: fc.Arbitrary<Entry> = fc.record({
  index: number,
  term: number,
  type: fc.constantFrom<EntryType>(0, 1, 2, 3, 4, 5),
  data: bytes,
  extensions: bytes,
  appendedAt: fc.oneof(
    fc.constantFrom(undefined, null),
    fc.uint8Array({ minLength: 14, maxLength: 14 }).map((rest) => concatBytes(Uint8Array.of(1), rest)),
    ...[4, 8, 12].map((length) => fc.uint8Array({ minLength: length, maxLength: length })),
  ),
});

const header = { protocolVersion: fc.nat(9), sender: fc.record({ id: fc.option(name), address: fc.option(name) }) };
const position = { term: number, lastIndex: number, lastTerm: number };

const request: fc.Arbitrary<RaftRequest> = fc.oneof(
  fc.record({
    ...{ kind: fc.constant('appendEntries' as const), ...header, term: number, leader: name, prevIndex: number },
    ...{ prevTerm: number, entries: fc.option(fc.array(entry, { maxLength: 20 })), commitIndex: number },
  }),
  fc.record({
    ...{ kind: fc.constant('requestVote' as const), ...header, ...position, candidate: name, isTransfer: fc.boolean() },
  }),
  fc.record({ kind: fc.constant('preVote' as const), ...header, ...position }),
  fc.record({ kind: fc.constant('timeoutNow' as const), ...header }),
  fc.record({
    ...{ kind: fc.constant('installSnapshot' as const), ...header, ...position, leader: name },
    ...{ configurationIndex: number, sizeBytes: fc.constant(0) },
    configuration: fc.record({
      servers: fc.array(
        fc.record({ id: name, address: name, suffrage: fc.constantFrom('voter', 'nonvoter', 'staging') }),
        { maxLength: 40 },
      ),
    }),
  }),
);

/** What a dialect leaves out is not said. */
function without(message: RaftRequest, dialect: Dialect): RaftRequest {
  const sender = dialect.header === 'none' ? { id: null, address: null } : message.sender;
  if (message.kind !== 'appendEntries') return { ...message, sender };
  if (dialect.appendedAt === 'kept') return { ...message, sender };
  const entries = message.entries?.map((each) => ({ ...each, appendedAt: undefined })) ?? null;
  return { ...message, sender, entries };
}

test('whatever is said in any dialect is understood, in whatever pieces it comes', () => {
  const dialects: readonly Dialect[] = [
    { ...DEFAULT_DIALECT, appendedAt: 'kept' },
    { ...DEFAULT_DIALECT, header: 'none', appendedAt: 'none' },
    { ...DEFAULT_DIALECT, appendedAt: 'none', signedSize: true },
  ];
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.nat(2),
      fc.integer({ min: 1, max: 900 }),
      (all, which, size) => {
        const dialect = dialects[which] as Dialect;
        const stream = concatBytes(...all.map((each) => encodeRequest(each, dialect)));
        const parser = new RequestParser();
        const seen: RaftRequest[] = [];
        for (let at = 0; at < stream.length; at += size) {
          parser.push(stream.slice(at, at + size));
          for (let next = parser.next(); next !== undefined; next = parser.next()) {
            if (!next.ok) throw new Error(next.refusal.code);
            if (next.value.kind === 'request') seen.push(next.value.request);
          }
        }
        expect(seen).toEqual(all.map((each) => without(each, dialect)));
      },
    ),
    { numRuns: 300 },
  );
});
