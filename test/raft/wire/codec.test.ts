import { describe, expect, test } from 'vitest';
import { textFromUtf8, toHex, utf8 } from '../../../src/base/bytes.ts';
import type { Entry } from '../../../src/raft/messages.ts';
import { portableAppendedAt } from '../../../src/raft/wire/appended-at.ts';
import { decodeConfiguration, encodeConfiguration } from '../../../src/raft/wire/configuration-codec.ts';
import { DEFAULT_DIALECT, type Dialect } from '../../../src/raft/wire/dialect.ts';
import { writeEntry } from '../../../src/raft/wire/entry-codec.ts';
import { DEFAULT_WIRE_LIMITS } from '../../../src/raft/wire/limits.ts';
import { WireWriter } from '../../../src/raft/wire/msgpack-writer.ts';
import { decodeRequest, encodeRequest } from '../../../src/raft/wire/request-codec.ts';
import { encodeResponse } from '../../../src/raft/wire/response-codec.ts';
import { bytesOf, codecVectors, dialectOf } from './vectors.ts';

function written(write: (to: WireWriter) => void): string {
  const to = new WireWriter(4);
  write(to);
  return toHex(to.finish());
}

const ENTRY: Entry = { index: 7, term: 3, type: 0, data: utf8('abc'), extensions: null, appendedAt: undefined };
const NOBODY = { id: null, address: null };

function appendEntries(dialect: Dialect): Uint8Array {
  const request = { kind: 'appendEntries', protocolVersion: 0, sender: NOBODY, term: 0, leader: '' } as const;
  return encodeRequest({ ...request, prevIndex: 0, prevTerm: 0, entries: null, commitIndex: 0 }, dialect).subarray(1);
}

/** Go's struct has no servers, which this program never sends. */
function installSnapshot(size: number, dialect: Dialect): string {
  const request = { kind: 'installSnapshot', protocolVersion: 0, sender: NOBODY, term: 0, leader: '' } as const;
  const whole = encodeRequest(
    {
      ...{ ...request, lastIndex: 0, lastTerm: 0, configuration: { servers: [] }, configurationIndex: 0 },
      sizeBytes: size,
    },
    dialect,
  );
  // The nil configuration and peers, and version 0 of the snapshot, are the struct's zeros in Go's capture.
  return toHex(whole.subarray(1))
    .replace(`${toHex(utf8('Configuration'))}aa81a753657276657273c0`, `${toHex(utf8('Configuration'))}c0`)
    .replace(`${toHex(utf8('Peers'))}a190`, `${toHex(utf8('Peers'))}c0`)
    .replace(`${toHex(utf8('SnapshotVersion'))}01`, `${toHex(utf8('SnapshotVersion'))}00`);
}

/** What go-msgpack writes for the value that the name of the vector says. */
function encodingOf(name: string, lib: string): string | undefined {
  const dialect = { ...dialectOf(lib) };
  const [word = '', rest = ''] = [name.split(' ')[0], name.split(' ').slice(1).join(' ')];
  const number = Number(rest);
  if (word === 'uint64' || word === 'int64') {
    if (!Number.isSafeInteger(number)) return undefined;
    const isSigned = word === 'int64' && (dialect.signedSize || number < 0);
    return written((to) => (isSigned ? to.int(number) : to.uint(number)));
  }
  const length = /len (\d+)$/.exec(name)?.[1];
  if (length !== undefined && word === '[]uint64') {
    return written((to) => {
      to.array(Number(length));
      for (let i = 0; i < Number(length); i++) to.uint(0);
    });
  }
  if (length !== undefined) {
    return written((to) => to.bytes(new Uint8Array(Number(length)).fill(word === 'string' ? 0x73 : 0xab)));
  }
  switch (name) {
    case 'true':
      return written((to) => to.bool(true));
    case 'nil':
      return written((to) => to.nil());
    case '[]*Log{}':
      return written((to) => to.array(0));
    case '*Log':
      return written((to) => writeEntry(to, { ...ENTRY, ...newFields(lib), extensions: Uint8Array.of(1) }, dialect));
    case 'Log{}':
      return written((to) => writeEntry(to, { ...ENTRY, ...newFields(lib), index: 0, term: 0, data: null }, dialect));
    case 'Configuration{}':
      return toHex(encodeConfiguration({ servers: [] }));
    case 'AppendEntriesRequest{}':
      return toHex(appendEntries(dialect));
    case 'AppendEntriesResponse{}':
      return toHex(
        encodeResponse(
          {
            ...{ error: '', protocolVersion: 0, sender: NOBODY, peers: null },
            response: { kind: 'appendEntries', term: 0, lastIndex: 0, success: false, noRetryBackoff: false },
          },
          dialect,
        ).subarray(1),
      );
  }
  const size = /^InstallSnapshotRequest Size=(.*)$/.exec(name)?.[1];
  return size === undefined ? undefined : installSnapshot(Number(size), dialect);
}

function newFields(lib: string): Pick<Entry, 'appendedAt'> {
  if (!lib.includes('1.7.3')) return { appendedAt: undefined };
  return { appendedAt: lib.includes('NewTime') ? null : bytesOf('01000000000000000000000000ffff') };
}

const encodings = codecVectors.filter(({ kind }) => kind === 'encode');

/** What Go can say and this program has no word for: times as such, entries that are nil, numbers from 2^53 on. */
const NOT_OURS =
  /time|struct\{T|\[\]\*Log\{nil\}|\[\]\*Log\(nil\)|\[\]byte\(nil\)|Configuration 3|9007199254740993|18446744073709551615/;

describe('a value is written as go-msgpack writes it:', () => {
  const ours = encodings.filter(({ name }) => !NOT_OURS.test(name));

  test('most of the captured values are compared', () => {
    expect(encodings.length).toBe(201);
    expect(ours.length).toBeGreaterThan(165);
  });

  test.each(ours.map(({ lib, name, hex }) => [lib, name, hex] as const))('%s: %s', (lib, name, hex) => {
    const encoded = encodingOf(name, lib) ?? 'not encoded';
    const cut = /^([0-9a-f]+)\.\.\.\((\d+) bytes\)$/.exec(hex);
    if (cut === null) return expect(encoded).toBe(hex);
    expect([encoded.slice(0, cut[1]?.length), encoded.length / 2]).toEqual([cut[1], Number(cut[2])]);
  });
});

/** Where the libraries differ, as 2.x; and beyond both what makes a Go node panic later. */
const probes = codecVectors.filter(({ kind, lib }) => kind.startsWith('decode-tolerance') && lib.includes('1.7.3'));
const others = codecVectors.filter(({ kind, lib }) => kind.startsWith('decode-tolerance') && lib.includes('1.1.2'));
const STRICTER: Readonly<Record<string, string>> = {
  'entries contains nil': 'undecodable',
  'entry Type 200 (uint8)': 'raft-entry-type',
};

/** In the words of the probes. */
function outcomeOf(hex: string): string {
  const decoded = decodeRequest('appendEntries', bytesOf(hex));
  if (!decoded.ok) return decoded.refusal.code;
  const request = decoded.value;
  if (request.kind !== 'appendEntries') return request.kind;
  const entries = (request.entries ?? []).map(
    ({ index, type, data, appendedAt }) =>
      ` {i=${index} type=${type} data="${textFromUtf8(data ?? new Uint8Array(0))}" at=${timeOf(appendedAt)}}`,
  );
  const { protocolVersion, term, leader, prevIndex } = request;
  return `ok pv=${protocolVersion} term=${term} leader="${leader}" prev=${prevIndex} entries=${entries.length}${entries.join('')}`;
}

function timeOf(appendedAt: Uint8Array | null | undefined): string {
  const marshalled = portableAppendedAt(appendedAt);
  if (marshalled === undefined) return '0001-01-01T00:00:00Z';
  const view = new DataView(marshalled.buffer, marshalled.byteOffset);
  const seconds = Number(view.getBigInt64(1)) - 62_135_596_800;
  const nanoseconds = view.getUint32(9);
  const time = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${time}${nanoseconds === 0 ? '' : `.${String(nanoseconds).padStart(9, '0')}`}Z`;
}

describe('bytes are taken as the decoders of Go take them:', () => {
  test('all probes of both libraries are there', () => {
    expect([probes.length, others.length]).toEqual([42, 42]);
    expect(others.map(({ hex }) => hex)).toEqual(probes.map(({ hex }) => hex));
  });

  test.each(probes.map(({ name, hex, result }) => [name, hex, result] as const))('%s', (name, hex, result = '') => {
    const stricter = STRICTER[name];
    if (stricter !== undefined) return expect(outcomeOf(hex)).toBe(stricter);
    expect(outcomeOf(hex)).toBe(result.startsWith('ERR') ? 'undecodable' : result);
  });

  test('where the older library takes what the newer refuses, it is a time it does not have, or a struct without names', () => {
    const differing = probes.filter(
      ({ result = '' }, i) => result.startsWith('ERR') !== (others[i]?.result ?? '').startsWith('ERR'),
    );
    expect(differing.map(({ name }) => name)).toEqual([
      'key as bin8',
      'struct as array (positional)',
      'entry AppendedAt MarshalBinary bin8',
      'entry AppendedAt garbage raw len3',
      'entry AppendedAt int',
    ]);
  });
});

describe('what no Go node writes is refused by code:', () => {
  const body = (hex: string) => decodeRequest('appendEntries', bytesOf(hex), DEFAULT_WIRE_LIMITS);
  const code = (hex: string): string => {
    const decoded = body(hex);
    return decoded.ok ? 'accepted' : decoded.refusal.code;
  };

  test.each([
    ['a term of 2^53', '81a45465726dcf0020000000000000', 'raft-number-range'],
    ['a term of 2^64 - 1', '81a45465726dcfffffffffffffffff', 'raft-number-range'],
    ['a term of -2^63', '81a45465726dd38000000000000000', 'raft-number-range'],
    ['a term of 2^53 - 1', '81a45465726dcf001fffffffffffff', 'accepted'],
    ['a term of -1 in 64 bits', '81a45465726dd3ffffffffffffffff', 'undecodable'],
    ['an entry of type 6', '81a7456e74726965739181a45479706506', 'raft-entry-type'],
    ['more entries than allowed', `81a7456e7472696573dc2001${'80'.repeat(8193)}`, 'raft-limit-exceeded'],
    ['as many entries as allowed', `81a7456e7472696573dc2000${'80'.repeat(8192)}`, 'accepted'],
    ['entries that are announced and not there', '81a7456e7472696573dd7fffffff', 'raft-limit-exceeded'],
    ['an address of 513 bytes', `81a64c6561646572da0201${'61'.repeat(513)}`, 'raft-limit-exceeded'],
    ['an address that is not UTF-8', '81a64c6561646572a1ff', 'undecodable'],
    ['a field nested too deeply', `82a35a7a7a${'91'.repeat(33)}c0a45465726d03`, 'raft-limit-exceeded'],
    ['a field nested deeply', `82a35a7a7a${'91'.repeat(31)}c0a45465726d03`, 'accepted'],
    ['a byte that is no token', '81a35a7a7ac1', 'undecodable'],
    ['bytes behind the struct', '8000', 'undecodable'],
    ['nothing', '', 'undecodable'],
    ['a boolean for a number', '81a45465726dc3', 'undecodable'],
  ])('%s', (_what, hex, expected) => expect(code(hex)).toBe(expected));

  test('a message above the greatest size', () => {
    const limits = { ...DEFAULT_WIRE_LIMITS, maxRequestBytes: 10 };
    expect(decodeRequest('appendEntries', new Uint8Array(11), limits)).toMatchObject({
      refusal: { code: 'too-large' },
    });
  });

  test('a server of a suffrage that does not exist', () => {
    const bytes = encodeConfiguration({ servers: [{ id: 'a', address: 'b', suffrage: 'staging' }] });
    expect(decodeConfiguration(bytes)).toMatchObject({ ok: true });
    bytes[bytes.length - 1] = 3;
    expect(decodeConfiguration(bytes)).toMatchObject({ refusal: { code: 'undecodable' } });
  });

  test('a snapshot of version 2, whose size is told', () => {
    const bytes = bytesOf(`82a453697a6507${'af'}${toHex(utf8('SnapshotVersion'))}02`);
    expect(decodeRequest('installSnapshot', bytes)).toMatchObject({
      refusal: { code: 'raft-snapshot-version', details: { version: 2, sizeBytes: 7 } },
    });
  });
});

describe('what a peer put into an entry travels on unchanged', () => {
  const through = (entry: Entry, dialect: Dialect): Entry | undefined => {
    const request = { kind: 'appendEntries', protocolVersion: 3, sender: NOBODY, term: 1, leader: 'a' } as const;
    const bytes = encodeRequest({ ...request, prevIndex: 0, prevTerm: 0, entries: [entry], commitIndex: 0 }, dialect);
    const decoded = decodeRequest('appendEntries', bytes.subarray(1));
    if (!decoded.ok || decoded.value.kind !== 'appendEntries') throw new TypeError('it decodes');
    return decoded.value.entries?.[0];
  };
  const times = [undefined, null, '01000000000000000000000000ffff', '0200000000000000000000000000781e', '6553f100']
    .concat(['1d6f34546553f100', '075bcd15000000006553f100'])
    .map((hex) => (typeof hex === 'string' ? bytesOf(hex) : hex));

  test.each(times)('appended at %s', (appendedAt) => {
    expect(through({ ...ENTRY, appendedAt }, { ...DEFAULT_DIALECT, appendedAt: 'kept' })?.appendedAt).toEqual(
      appendedAt,
    );
  });

  test.each([null, new Uint8Array(0), utf8('x'), new Uint8Array(70_000)])('data and extensions %#', (bytes) => {
    const entry = { ...ENTRY, data: bytes, extensions: bytes };
    expect(through(entry, DEFAULT_DIALECT)).toEqual(entry);
  });

  test('apart from a time that older versions cannot read, which is the same time in fifteen bytes', () => {
    expect(times.map((appendedAt) => through({ ...ENTRY, appendedAt }, DEFAULT_DIALECT)?.appendedAt)).toEqual(
      [
        ...[undefined, undefined, '01000000000000000000000000ffff', '010000000000000000000000000078'],
        ...['010000000edce5e80000000000ffff', '010000000edce5e800075bcd15ffff', '010000000edce5e800075bcd15ffff'],
      ].map((hex) => (hex === undefined ? undefined : bytesOf(hex))),
    );
  });

  test('what a Go node could not read as a time is refused', () => {
    const time = (hex: string) =>
      decodeRequest('appendEntries', bytesOf(`81a7456e74726965739181aa417070656e6465644174${hex}`));
    for (const hex of ['af02' + '00'.repeat(14), 'b001' + '00'.repeat(15), 'a5' + '00'.repeat(5), '9400000000', '01'])
      expect(time(hex)).toMatchObject({ refusal: { code: 'undecodable' } });
    for (const hex of ['d70000' + '00'.repeat(7), 'd5ff0000', 'c70b' + 'ff'.repeat(12), 'c70c00' + '00'.repeat(12)])
      expect(time(hex)).toMatchObject({ refusal: { code: 'undecodable' } });
    expect(time(`c70cff${'00'.repeat(12)}`)).toMatchObject({ ok: true });
  });
});
