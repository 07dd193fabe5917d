/** Decoders of events, of what the state holds, of read answers, and of the protocols that carry them. */
import { utf8 } from '../../src/base/bytes.ts';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { ok, refuse, unwrap } from '../../src/base/result.ts';
import { decodeSignedEvent, encodeSignedEvent, MAX_EVENT_BYTES, MAX_SUBMISSION_BYTES } from '../../src/ledger/event.ts';
import { signedEventFromJson, signedEventFromJsonText, type SignedEvent } from '../../src/ledger/event.ts';
import { evidenceEntryCodec } from '../../src/ledger/evidence-entry.ts';
import { schemaActivationCodec } from '../../src/ledger/event-schema-at.ts';
import { parameterScheduleCodec } from '../../src/ledger/parameters.ts';
import { proposalCodec } from '../../src/ledger/quorum-actions.ts';
import { nodeEntryCodec, stakeCodec, type NodeEntry } from '../../src/ledger/record.ts';
import { validatorListCodec } from '../../src/ledger/validators.ts';
import { claimedPosition } from '../../src/ledger/verified-read.ts';
import { parseJson as parseStrangersJson } from '../../src/ledger/json-text.ts';
import { syncBlocksCodec, syncHeadCodec, syncRequestCodec, type SyncRequest } from '../../src/net/block-sync.ts';
import { decodeAnswer } from '../../src/net/exchange.ts';
import { FRAME_HEADER_BYTES, FrameDecoder, writeFrameHeader } from '../../src/net/frame-decoder.ts';
import { parseJson } from '../../src/net/json-text.ts';
import { readAnswerCodec, readIndexCodec, readRequestCodec, type ReadRequest } from '../../src/net/read.ts';
import { snapshotOfferCodec, snapshotRequestCodec, type SnapshotRequest } from '../../src/net/snapshot-sync.ts';
import { parseJsonAnswer } from '../../src/net/submission-client.ts';
import {
  submissionReplyCodec,
  submissionRequestCodec,
  type SubmissionReply,
  type SubmissionRequest,
} from '../../src/net/submission-wire.ts';
import { hashOf, ledger, readAnswers, signedEvents, signers } from './corpus.ts';
import { codecDecoder, decoder } from './decoder.ts';

const PEER_IDS = signers.map(({ peerId }) => peerId);
const REFUSAL = { code: 'busy', message: 'later', details: { retryAfterMs: 250 } };

const events = (): readonly Uint8Array[] => signedEvents(ledger().chainId).map(({ bytes }) => bytes);
const submissions = (): readonly Uint8Array[] =>
  signedEvents(ledger().chainId).map(({ submission }) => utf8(JSON.stringify(submission)));

function entries(): readonly NodeEntry[] {
  const held = PEER_IDS.map((peerId) => unwrap(nodeEntryCodec.decode(stateValue(`node/${peerId}`))));
  const stake = { isStaked: true, attestedAt: 5, proposal: hashOf('p'), reference: 'sepolia' };
  const records = held.flatMap((entry) => (entry.kind === 'record' ? [entry] : []));
  return [
    ...records,
    ...records.map((record) => ({ ...record, stake, workerTimeoutNs: 5n, closedUptimeNs: (1n << 63n) - 1n })),
    { kind: 'absent', peerId: PEER_IDS[0] as string, lastSeq: Number.MAX_SAFE_INTEGER, lastEventId: ZERO_HASH },
  ];
}

function stateValue(key: string): Uint8Array {
  return ledger().backing.get(key) ?? new Uint8Array(0);
}

/** However it was submitted, what goes into a block is the canonical event. */
function checkCanonicalForm(signed: SignedEvent): void {
  const decoded = unwrap(decodeSignedEvent(ledger().chainId, signed.bytes));
  if (decoded.id !== signed.id) throw new TypeError('the canonical form is another event');
}

function frames(...contents: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(contents.reduce((sum, { length }) => sum + FRAME_HEADER_BYTES + length, 0));
  let offset = 0;
  for (const content of contents) {
    writeFrameHeader(bytes, offset, content.length);
    bytes.set(content, offset + FRAME_HEADER_BYTES);
    offset += FRAME_HEADER_BYTES + content.length;
  }
  return bytes;
}

/** In chunks of a few bytes, as a network may cut them. */
function framesOf(bytes: Uint8Array, chunkBytes: number) {
  const decoding = new FrameDecoder(4096);
  const found: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const pushed = decoding.push(bytes.slice(start, start + chunkBytes), found);
    if (!pushed.ok) return pushed;
  }
  if (decoding.insideFrame) return refuse('frame-truncated', 'the stream ended inside a frame');
  return ok(found);
}

export const ledgerDecoders = [
  decoder({
    name: 'event',
    covers: ['ledger/event.ts#decodeSignedEvent'],
    format: 'messagepack',
    maxBytes: MAX_EVENT_BYTES,
    samples: events,
    decode: (bytes) => decodeSignedEvent(ledger().chainId, bytes),
    encode: ({ json, signature }) => encodeSignedEvent(json, signature),
  }),
  decoder({
    name: 'submission in JSON',
    covers: ['ledger/event.ts#signedEventFromJsonText', 'ledger/json-text.ts#parseJson'],
    format: 'json',
    maxBytes: MAX_SUBMISSION_BYTES,
    samples: submissions,
    decode: (bytes) => signedEventFromJsonText(ledger().chainId, bytes),
    encode: null,
    check: checkCanonicalForm,
  }),
  decoder({
    name: 'submission over a stream',
    covers: ['ledger/event.ts#signedEventFromJson', 'net/json-text.ts#parseJson'],
    format: 'json',
    maxBytes: MAX_SUBMISSION_BYTES,
    samples: submissions,
    decode(bytes) {
      if (bytes.length > MAX_SUBMISSION_BYTES) return refuse('too-large', 'the stream reads no more');
      const parsed = parseJson(bytes, 8);
      return parsed.ok ? signedEventFromJson(ledger().chainId, parsed.value) : parsed;
    },
    encode: null,
    check(signed, bytes) {
      checkCanonicalForm(signed);
      // The two readers of JSON from strangers are of one mind.
      unwrap(parseStrangersJson(bytes, { maxBytes: bytes.length, maxDepth: 8 }));
    },
  }),
  decoder({
    name: 'answer to a submission in JSON',
    covers: ['net/submission-client.ts#parseJsonAnswer'],
    format: 'json',
    maxBytes: 16 << 10,
    isBoundedByCaller: true,
    samples: () => ['"ACK"', '{"error":{"code":"busy","message":"später","retryAfterMs":250}}'].map(utf8),
    decode(bytes) {
      const answer = parseJsonAnswer(bytes);
      // A code of the server's own is whatever the server says.
      return ok(answer.ok ? null : answer.refusal);
    },
    encode: null,
  }),
  decoder({
    name: 'answer of an exchange',
    covers: ['net/exchange.ts#decodeAnswer'],
    format: 'bytes',
    maxBytes: 4 << 20,
    isBoundedByCaller: true,
    samples: () => [
      Uint8Array.of(0),
      Uint8Array.of(0, 1, 2, 3),
      Uint8Array.from([1, 0x93, 0xa4, ...utf8('busy'), 0xa1, 0x6c, 0xcc, 0xfa]),
      Uint8Array.from([1, 0x93, 0xa4, ...utf8('busy'), 0xa1, 0x6c, 0xc0]),
    ],
    decode(frame) {
      const answer = decodeAnswer(frame);
      return ok(answer.ok ? answer.value : answer.refusal);
    },
    encode: null,
  }),
  decoder({
    name: 'frames',
    covers: ['net/frame-decoder.ts#FrameDecoder'],
    format: 'bytes',
    maxBytes: 64 << 10,
    isBoundedByCaller: true,
    samples: () => [
      frames(Uint8Array.of(1)),
      frames(...events()),
      frames(new Uint8Array(4096), Uint8Array.of(2), new Uint8Array(200)),
    ],
    decode: (bytes) => framesOf(bytes, Math.max(1, bytes.length)),
    encode: (found) => frames(...found),
    check(found, bytes) {
      const again = unwrap(framesOf(bytes, 1 + ((bytes[bytes.length - 1] ?? 0) % 7)));
      if (Buffer.compare(frames(...again), frames(...found)) !== 0) throw new TypeError('chunks make other frames');
    },
  }),
  decoder({
    name: 'read answer',
    covers: ['ledger/verified-read.ts#claimedPosition'],
    format: 'messagepack',
    maxBytes: 256 * 1024,
    samples: () => readAnswers().map(({ bytes }) => bytes),
    decode: claimedPosition,
    encode: null,
  }),
  codecDecoder('read request', 'net/read.ts#readRequestCodec', readRequestCodec, (): readonly ReadRequest[] => [
    { kind: 'records', peerIds: PEER_IDS, withAge: true },
    { kind: 'records', peerIds: [], withAge: false },
    { kind: 'headStatements' },
    { kind: 'epochProofs', fromEpoch: 7 },
    { kind: 'linearizable', peerIds: PEER_IDS },
    { kind: 'readIndex' },
  ]),
  codecDecoder('read index', 'net/read.ts#readIndexCodec', readIndexCodec, () => [0, 7, 2 ** 40]),
  codecDecoder('read answers', 'net/read.ts#readAnswerCodec', readAnswerCodec, () => [
    [],
    readAnswers().map(({ bytes }) => bytes),
  ]),
  codecDecoder('sync request', 'net/block-sync.ts#syncRequestCodec', syncRequestCodec, (): readonly SyncRequest[] => [
    { kind: 'head' },
    { kind: 'sealed', fromHeight: 300, maxBlocks: 512 },
    { kind: 'blocks', ids: [hashOf('a'), hashOf('b')] },
  ]),
  codecDecoder('sync head', 'net/block-sync.ts#syncHeadCodec', syncHeadCodec, () => [
    { epoch: 0, height: 70_000, blockId: hashOf('a') },
  ]),
  codecDecoder('sync blocks', 'net/block-sync.ts#syncBlocksCodec', syncBlocksCodec, () => [
    [],
    events(),
    [new Uint8Array(70_000)],
  ]),
  codecDecoder(
    'snapshot request',
    'net/snapshot-sync.ts#snapshotRequestCodec',
    snapshotRequestCodec,
    (): readonly SnapshotRequest[] => [
      { kind: 'offer' },
      { kind: 'manifest', of: { height: 70_000, stateRoot: hashOf('a'), depth: 4 } },
      { kind: 'chunk', of: { height: 0, stateRoot: hashOf('b'), depth: 16 }, index: 65_535 },
    ],
  ),
  codecDecoder('snapshot offer', 'net/snapshot-sync.ts#snapshotOfferCodec', snapshotOfferCodec, () => [
    { headHeight: 0, oldestBlock: 1, snapshots: [] },
    {
      headHeight: 80_000,
      oldestBlock: 60_000,
      snapshots: [{ height: 70_000, stateRoot: hashOf('a'), depth: 6, bytes: 50_000_000 }],
    },
  ]),
  codecDecoder(
    'submission request',
    'net/submission-wire.ts#submissionRequestCodec',
    submissionRequestCodec,
    (): readonly SubmissionRequest[] => [
      { number: 5, acknowledge: 'committed', events: events() },
      { number: 0xffff_ffff, acknowledge: 'accepted', events: [] },
    ],
  ),
  codecDecoder(
    'submission reply',
    'net/submission-wire.ts#submissionReplyCodec',
    submissionReplyCodec,
    (): readonly SubmissionReply[] => [
      {
        kind: 'answers',
        number: 5,
        answers: [
          { kind: 'acknowledged', height: 9 },
          { kind: 'acknowledged', height: null },
          { kind: 'refused', refusal: REFUSAL },
        ],
      },
      { kind: 'refused', number: null, refusal: REFUSAL },
      { kind: 'refused', number: 7, refusal: { ...REFUSAL, details: {} } },
    ],
  ),
  codecDecoder('node entry', 'ledger/record.ts#nodeEntryCodec', nodeEntryCodec, entries),
  codecDecoder('stake', 'ledger/record.ts#stakeCodec', stakeCodec, () => [
    { isStaked: true, attestedAt: 5, proposal: null, reference: 'genesis import' },
    { isStaked: false, attestedAt: 1_724_673_600, proposal: hashOf('p'), reference: '' },
  ]),
  codecDecoder('validator list', 'ledger/validators.ts#validatorListCodec', validatorListCodec, () => [
    stateValue('validators'),
  ]),
  codecDecoder('parameters', 'ledger/parameters.ts#parameterScheduleCodec', parameterScheduleCodec, () => [
    stateValue('parameters'),
    {
      current: { livenessWindowSeconds: 3600, eventSchema: 1 },
      next: { fromHeight: 9, parameters: { livenessWindowSeconds: 60, eventSchema: 1 } },
    },
  ]),
  codecDecoder(
    'change of the event schema',
    'ledger/event-schema-at.ts#schemaActivationCodec',
    schemaActivationCodec,
    () => [{ schema: 2, fromHeight: 4_000 }],
  ),
  codecDecoder('evidence entry', 'ledger/evidence-entry.ts#evidenceEntryCodec', evidenceEntryCodec, () => [
    { reporter: PEER_IDS[0] as string, event: hashOf('e'), digest: hashOf('d'), height: 12 },
  ]),
  codecDecoder('proposal of validators', 'ledger/quorum-actions.ts#proposalCodec', proposalCodec, () => [
    ...(
      [
        { kind: 'schemaActivated', schema: 2, fromHeight: 4_000 },
        { kind: 'nodeRemoved', peerId: 'x', reason: 'gone' },
      ] as const
    ).map((action) => ({
      ...{ proposer: PEER_IDS[0] as string, action, epoch: 0, replaces: ZERO_HASH },
      ...{ expires: 1_724_673_600, approvals: [0, 2, 127] },
    })),
  ]),
];
