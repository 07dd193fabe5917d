import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { CID } from 'multiformats/cid';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { concatBytes, textFromUtf8, utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { unwrap, type Result } from '../../src/base/result.ts';
import {
  canonicalEventJson,
  decodeSignedEvent,
  encodeSignedEvent,
  eventSigningBytes,
  MAX_EVENT_BYTES,
  MAX_SUBMISSION_BYTES,
  signedEventFromJson,
  signedEventFromJsonText,
  verifyEventSignature,
  type SignedEvent,
  type WrittenEvent,
} from '../../src/ledger/event.ts';
import { ethAddressOf, parsePeerId } from '../../src/ledger/identity.ts';
import { nobleVerifier } from '../../src/ledger/signature-noble.ts';
import {
  CHAIN_ID,
  codeOf,
  joinedFields,
  NO_CAPABILITIES,
  peerOf,
  signatureFor,
  START,
  submissionOf,
  type EventFields,
} from './nodes.ts';

const alice = peerOf(1);
const secp = peerOf(2, 'secp256k1');
const HASH = 'ab'.repeat(32);

function fromFields(fields: EventFields): Result<SignedEvent> {
  return signedEventFromJson(CHAIN_ID, submissionOf(fields));
}

/** The binary form of any text, with a signature of good form. */
function decodeText(text: string): Result<SignedEvent> {
  return decodeSignedEvent(CHAIN_ID, encodeSignedEvent(utf8(text), signatureFor(alice)));
}

const HEARTBEAT = `{"peerId":"${alice}","seq":1,"time":${START},"type":"heartbeat"}`;

function variant(changes: Readonly<Record<string, unknown>>): EventFields {
  return { ...joinedFields(alice, 1), ...changes };
}

const STAKE = { kind: 'stakeStatusChanged', peerId: alice, isStaked: true, reference: 'x' };

function proposal(action: unknown, more: Readonly<Record<string, unknown>> = {}): EventFields {
  return { type: 'proposed', peerId: alice, seq: 1, action, epoch: 0, replaces: HASH, expires: START, ...more };
}

const ALL_TYPES: readonly EventFields[] = [
  joinedFields(alice, 1),
  joinedFields(secp, 1),
  joinedFields(secp, 1, { schema: 2, isLlmServer: true }),
  { type: 'left', peerId: alice, seq: 2 },
  { type: 'heartbeat', peerId: alice, seq: 3 },
  { type: 'addressesChanged', peerId: alice, seq: 4, multiaddrs: [] },
  { type: 'capabilitiesDeclared', peerId: alice, seq: 5, ...NO_CAPABILITIES },
  { type: 'versionChanged', peerId: alice, seq: 6, version: 'v0.8.4-12-g0123abc-dirty+build.20240826' },
  proposal(STAKE),
  proposal({ kind: 'nodeRemoved', peerId: alice, reason: 'spam' }),
  proposal({ kind: 'workerTimeoutSet', peerId: alice, workerTimeout: 0 }),
  proposal({ kind: 'schemaActivated', schema: 2, fromHeight: 1000 }),
  proposal({ kind: 'parametersChanged', parameters: { livenessWindowSeconds: 60 } }),
  { type: 'approved', peerId: alice, seq: 7, proposal: HASH },
  { type: 'evidenceRecorded', peerId: alice, seq: 8, epoch: 0, offender: secp, evidence: 'AAECAw==' },
];

describe('an event', () => {
  it.each(ALL_TYPES.map((fields) => [fields.type, fields] as const))('%s is the same in both forms', (_, fields) => {
    const submitted = unwrap(fromFields(fields));
    expect(unwrap(decodeSignedEvent(CHAIN_ID, submitted.bytes))).toEqual(submitted);
    expect(unwrap(signedEventFromJsonText(CHAIN_ID, utf8(JSON.stringify(submissionOf(fields), null, 2))))).toEqual(
      submitted,
    );
    expect(submitted.event).toMatchObject({ type: fields.type, peerId: fields.peerId, seq: fields.seq });
  });

  it('is named by what is signed: tag, chain id, RFC 8785 JSON, and not by its signature', () => {
    const { id, json } = unwrap(decodeText(HEARTBEAT));
    expect(textFromUtf8(json)).toBe(HEARTBEAT);
    expect(textFromUtf8(eventSigningBytes(CHAIN_ID, json))).toBe(`hotledger/event/1\n${CHAIN_ID}\n${HEARTBEAT}`);
    expect(id).toBe(sha256Hex(utf8(`hotledger/event/1\n${CHAIN_ID}\n${HEARTBEAT}`)));
    const another = signatureFor(alice).with(0, 3);
    expect(unwrap(decodeSignedEvent(CHAIN_ID, encodeSignedEvent(json, another))).id).toBe(id);
    expect(unwrap(decodeSignedEvent('another-chain', encodeSignedEvent(json, another))).id).not.toBe(id);
  });

  it('made by this program has the canonical form', () => {
    const fields = { time: START, ...joinedFields(alice, 1) };
    expect(canonicalEventJson(fields as unknown as WrittenEvent)).toEqual(unwrap(fromFields(fields)).json);
  });

  it('may name its peer as a CIDv1; its bytes stay as they were signed', () => {
    const identity = unwrap(parsePeerId(secp));
    const multihash = Uint8Array.of(0x00, 0x25, 0x08, 0x02, 0x12, 0x21, ...identity.publicKey);
    const cid = CID.decode(Uint8Array.of(0x01, 0x72, ...multihash)).toString();
    const submission = {
      ...submissionOf({ type: 'left', peerId: secp, seq: 1 }),
      event: { type: 'left', peerId: cid, seq: 1, time: START },
    };
    const signed = unwrap(signedEventFromJson(CHAIN_ID, submission));
    expect(signed.event.peerId).toBe(secp);
    expect(textFromUtf8(signed.json)).toContain(cid);
  });

  it('holds addresses in their one form, and signs them as they were written', () => {
    const written = `/ip4/203.0.113.20/udp/4001/quic-v1/p2p/${alice}`;
    const signed = unwrap(fromFields(variant({ multiaddrs: [written, written] })));
    expect(signed.event).toMatchObject({ multiaddrs: ['/ip4/203.0.113.20/udp/4001/quic-v1'] });
    expect(textFromUtf8(signed.json)).toContain(written);
  });

  it('may carry the Ethereum address of its own key', () => {
    const ethAddress = ethAddressOf(unwrap(parsePeerId(secp)));
    expect(codeOf(fromFields({ ...joinedFields(secp, 1), ethAddress }))).toBe('applied');
    expect(codeOf(fromFields({ ...joinedFields(alice, 1), ethAddress: '' }))).toBe('applied');
  });
});

describe('an event is refused', () => {
  it.each([
    ['that is no object', [] as unknown, 'event-malformed'],
    ['that is null', null, 'event-malformed'],
    ['without a type', { peerId: alice, seq: 1, time: START }, 'field-missing'],
  ])('%s', (_, event, code) => {
    const submission = { ...submissionOf(joinedFields(alice, 1)), event };
    expect(codeOf(signedEventFromJson(CHAIN_ID, submission))).toBe(code);
  });

  it.each([
    ['of an unknown type', { type: 'promoted' }, 'unknown-type'],
    ['of a type that objects have anyway', { type: 'constructor' }, 'unknown-type'],
    ['that says it is staked', { isStaked: true }, 'field-not-yours'],
    ['that says it is a validator', { isValidator: true }, 'field-not-yours'],
    ['that sets its own uptime', { accumulatedUptime: 1 }, 'field-not-yours'],
    ['that sets its own times', { lastUpdated: START }, 'field-not-yours'],
    ['with a field that nobody knows', { nickname: 'x' }, 'unknown-field'],
    ['with a field of another type', { epoch: 0 }, 'unknown-field'],
    ['without a version', { version: undefined }, 'field-missing'],
    ['with an empty version', { version: '' }, 'version-invalid'],
    ['with a version of 65 characters', { version: 'v'.repeat(65) }, 'version-invalid'],
    ['with markup outside ASCII in its version', { version: 'v1\u2028' }, 'version-invalid'],
    ['with a flag that is a number', { isWebScraper: 1 }, 'field-invalid'],
    ['with seq 0', { seq: 0 }, 'field-invalid'],
    ['with a negative seq', { seq: -1 }, 'field-invalid'],
    ['with a fraction of a seq', { seq: 1.5 }, 'field-invalid'],
    ['with a seq above 2^53', { seq: 2 ** 53 }, 'field-invalid'],
    ['with a seq that is text', { seq: '1' }, 'field-invalid'],
    ['with a time in milliseconds', { time: START * 1000 }, 'time-unit'],
    ['with a time that is no number', { time: null }, 'field-invalid'],
    ['with addresses that are text', { multiaddrs: '/ip4/1.2.3.4' }, 'field-invalid'],
    ['with an address that is a number', { multiaddrs: [1] }, 'field-invalid'],
    ['with an address that does not parse', { multiaddrs: ['nowhere'] }, 'address-invalid'],
    [
      'with 17 addresses',
      { multiaddrs: Array.from({ length: 17 }, (_, i) => `/ip4/10.0.0.${i}`) },
      'too-many-addresses',
    ],
    ['with an Ethereum address of another key', { ethAddress: `0x${'0'.repeat(40)}` }, 'eth-address-not-yours'],
    ['with an Ethereum address that is a number', { ethAddress: 0 }, 'field-invalid'],
    ['with a peer id that is none', { peerId: 'nobody' }, 'peer-id-invalid'],
    [
      'with a peer id without its key',
      { peerId: 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N' },
      'peer-id-unsupported',
    ],
    ['with an endless peer id', { peerId: '1'.repeat(1000) }, 'field-invalid'],
  ])('%s', (_, changes: Readonly<Record<string, unknown>>, code) => {
    expect(codeOf(fromFields(variant(changes)))).toBe(code);
  });

  it('with __proto__ as it comes from JSON', () => {
    const text = JSON.stringify(submissionOf(joinedFields(alice, 1))).replace(
      '{"event":{',
      '{"event":{"__proto__":{},',
    );
    expect(codeOf(signedEventFromJsonText(CHAIN_ID, utf8(text)))).toBe('unknown-field');
  });

  it.each([
    ['with an unknown action', { kind: 'inflated' }, 'action-unknown'],
    [
      'with a change of the validator set, which comes later',
      { kind: 'validatorSetChanged', members: [] },
      'action-not-available',
    ],
    ['with an action that is text', 'stakeStatusChanged', 'event-malformed'],
    ['with an action about nobody', { ...STAKE, peerId: 'x' }, 'peer-id-invalid'],
    ['with more in an action than it has', { ...STAKE, amount: 5 }, 'unknown-field'],
    ['with an attestation by nothing', { ...STAKE, reference: '' }, 'field-invalid'],
    ['with an endless reason', { kind: 'nodeRemoved', peerId: alice, reason: 'x'.repeat(257) }, 'field-invalid'],
    [
      'with a timeout in milliseconds',
      { kind: 'workerTimeoutSet', peerId: alice, workerTimeout: START * 1000 },
      'time-unit',
    ],
    [
      'with a window of a second',
      { kind: 'parametersChanged', parameters: { livenessWindowSeconds: 1 } },
      'field-invalid',
    ],
    ['with a parameter that there is not', { kind: 'parametersChanged', parameters: { x: 1 } }, 'unknown-field'],
  ])('%s', (_, action: unknown, code) => {
    expect(codeOf(fromFields(proposal(action)))).toBe(code);
  });

  it.each([
    ['with a digest in upper case', proposal(STAKE, { replaces: HASH.toUpperCase() }), 'field-invalid'],
    ['that expires in milliseconds', proposal(STAKE, { expires: START * 1000 }), 'time-unit'],
    [
      'with evidence that is not base64',
      { type: 'evidenceRecorded', peerId: alice, seq: 1, epoch: 0, offender: secp, evidence: 'A' },
      'field-invalid',
    ],
  ])('%s', (_, fields, code) => {
    expect(codeOf(fromFields(fields))).toBe(code);
  });
});

describe('the binary form', () => {
  it.each([
    ['keys out of order', HEARTBEAT.replace(/^\{("peerId":"\w+"),("seq":1)/, '{$2,$1'), 'non-canonical'],
    ['a blank', HEARTBEAT.replace(',', ', '), 'non-canonical'],
    ['a duplicate key', HEARTBEAT.replace('"seq":1', '"seq":1,"seq":1'), 'non-canonical'],
    ['a duplicate key that hides another value', HEARTBEAT.replace('"seq":1', '"seq":9,"seq":1'), 'non-canonical'],
    ['an escape that need not be', HEARTBEAT.replace('heartbeat', 'h\\u0065artbeat'), 'non-canonical'],
    ['a number with an exponent', HEARTBEAT.replace('"seq":1', '"seq":1e0'), 'non-canonical'],
    ['a number with a fraction', HEARTBEAT.replace('"seq":1', '"seq":1.0'), 'non-canonical'],
    ['a byte order mark', `\uFEFF${HEARTBEAT}`, 'undecodable'],
    ['no JSON', 'heartbeat', 'undecodable'],
    ['half of it', HEARTBEAT.slice(0, -1), 'undecodable'],
    ['nesting without end', '['.repeat(4000) + ']'.repeat(4000), 'event-malformed'],
    ['nesting in a field', HEARTBEAT.replace(':1,', `:${'['.repeat(3000)}${']'.repeat(3000)},`), 'field-invalid'],
  ])('with %s is refused', (_, text, code) => {
    expect(codeOf(decodeText(text))).toBe(code);
  });

  it('that is not UTF-8 is refused', () => {
    const json = concatBytes(utf8(HEARTBEAT.slice(0, -2)), Uint8Array.of(0xff, 0x22, 0x7d));
    expect(codeOf(decodeSignedEvent(CHAIN_ID, encodeSignedEvent(json, signatureFor(alice))))).toBe('undecodable');
  });

  it('cut anywhere, or with a byte more, is refused', () => {
    const { bytes } = unwrap(decodeText(HEARTBEAT));
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeSignedEvent(CHAIN_ID, bytes.subarray(0, length)).ok).toBe(false);
    }
    expect(decodeSignedEvent(CHAIN_ID, concatBytes(bytes, Uint8Array.of(0))).ok).toBe(false);
  });

  it('in another MessagePack encoding is refused', () => {
    const { json, signature } = unwrap(decodeText(HEARTBEAT));
    const packed = new Packr({ useRecords: false }).pack({ 0: json, 1: signature });
    expect(codeOf(decodeSignedEvent(CHAIN_ID, packed))).toBe('undecodable');
    const { bytes } = unwrap(decodeText(HEARTBEAT));
    const wider = concatBytes(Uint8Array.of(0xdc, 0, 2), bytes.subarray(1)); // array16 instead of fixarray
    expect(codeOf(decodeSignedEvent(CHAIN_ID, wider))).toBe('non-canonical');
  });

  it('of more than 8 KiB is refused, whole', () => {
    const reason = ' '.repeat(MAX_EVENT_BYTES);
    expect(codeOf(decodeText(HEARTBEAT + reason))).toBe('too-large');
  });

  it('carries a signature of good form', () => {
    const bytes = encodeSignedEvent(utf8(HEARTBEAT), new Uint8Array(64));
    expect(codeOf(decodeSignedEvent(CHAIN_ID, bytes))).toBe('signature-not-canonical');
  });
});

describe('the submission in JSON', () => {
  const submission = submissionOf(joinedFields(alice, 1));

  it.each([
    ['without a signature', { event: submission.event }, 'signature-required'],
    ['with an empty signature', { ...submission, signature: '' }, 'signature-required'],
    ['with null as signature', { ...submission, signature: null }, 'signature-required'],
    ['with a signature that is not base64', { ...submission, signature: '???' }, 'signature-not-canonical'],
    ['with a signature that is an array', { ...submission, signature: [1] }, 'signature-not-canonical'],
    [
      'with a signature without padding',
      { ...submission, signature: submission.signature.replace(/=+$/, '') },
      'signature-not-canonical',
    ],
    ['with more than event and signature', { ...submission, priority: 1 }, 'unknown-field'],
    ['that is a list', [submission], 'event-malformed'],
    ['that is text', 'joined', 'event-malformed'],
    ['of the older form: nodeData without an envelope', { peerId: alice, isStaked: true }, 'signature-required'],
  ])('%s is refused', (_, value: unknown, code) => {
    expect(codeOf(signedEventFromJson(CHAIN_ID, value))).toBe(code);
  });

  it.each([
    ['with a duplicate key', JSON.stringify(submission).replace('"seq":1', '"seq":2,"seq":1'), 'duplicate-key'],
    [
      'with a duplicate key written otherwise',
      JSON.stringify(submission).replace('"seq":1', '"\\u0073eq":2,"seq":1'),
      'duplicate-key',
    ],
    ['nested too deeply', `{"event":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'too-deep'],
    ['too large', ' '.repeat(MAX_SUBMISSION_BYTES + 1), 'too-large'],
    ['cut off', JSON.stringify(submission).slice(0, -1), 'undecodable'],
  ])('%s is refused', (_, text, code) => {
    expect(codeOf(signedEventFromJsonText(CHAIN_ID, utf8(text)))).toBe(code);
  });

  it('whose event has more than 8 KiB once it is canonical is refused', () => {
    const multiaddrs = Array.from({ length: 16 }, () => `/dns4/${'"'.repeat(250)}`); // each quote needs an escape
    expect(codeOf(fromFields(variant({ multiaddrs })))).toBe('too-large');
  });
});

describe('the signature of an event', () => {
  it.each(['Ed25519', 'secp256k1'] as const)('by a libp2p key of type %s holds for its chain only', async (type) => {
    const key = await generateKeyPair(type);
    const peerId = peerIdFromPrivateKey(key).toString();
    const fields = { type: 'heartbeat', peerId, seq: 1, time: START } as const;
    const json = canonicalEventJson(fields);
    const signature = toBase64(await key.sign(eventSigningBytes(CHAIN_ID, json)));
    const submission = { event: fields, signature };
    const signed = unwrap(signedEventFromJson(CHAIN_ID, submission));
    expect(codeOf(verifyEventSignature(CHAIN_ID, signed, nobleVerifier))).toBe('applied');
    const elsewhere = unwrap(signedEventFromJson('another-chain', submission));
    expect(codeOf(verifyEventSignature('another-chain', elsewhere, nobleVerifier))).toBe('signature-invalid');
    const forged = unwrap(signedEventFromJson(CHAIN_ID, { ...submission, event: { ...fields, seq: 2 } }));
    expect(codeOf(verifyEventSignature(CHAIN_ID, forged, nobleVerifier))).toBe('signature-invalid');
  });
});
