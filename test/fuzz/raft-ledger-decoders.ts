/** Decoders of what a Raft log and its snapshots hold of the ledger. */
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { ok, refuse, unwrap } from '../../src/base/result.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import { decodeControlRecord, encodeControlRecord, type ControlRecord } from '../../src/ledger/control-record.ts';
import { decodeLegacyCommand, legacyKeyJson } from '../../src/ledger/legacy-command.ts';
import { NO_CONTROLS } from '../../src/ledger/log-hash.ts';
import {
  decodeCommand,
  encodeEventsCommand,
  MAX_COMMAND_BYTES,
  type RaftCommand,
} from '../../src/ledger/raft-command.ts';
import { decodeRaftSeal, encodeRaftSeal, MAX_RAFT_SEAL_BYTES } from '../../src/ledger/raft-seal.ts';
import { ledgerChunkCodec, type LedgerChunk } from '../../src/ledger/raft-snapshot.ts';
import { chunkText, LEDGER_OPENING, MAX_SNAPSHOT_ITEM_BYTES, SnapshotText } from '../../src/node/raft/snapshot-text.ts';
import { START } from '../ledger/nodes.ts';
import { hashOf, ledger, signedEvents } from './corpus.ts';
import { codecDecoder, decoder } from './decoder.ts';

const LEGACY = [
  '{"Op":"set","Key":"colour","Value":"blue"}',
  '{"Op":"updateNodeData","Key":"12D3KooW","Value":{"version":"v1","isActive":true,"uptime":1e5}}',
  ' { "op" : "set", "KEY" : "\\ud83d\\ude00", "Value" : [ null , -0.5 , "é" ] } ',
].map((text) => utf8(text));

function eventCommands(): readonly Uint8Array[] {
  const events = signedEvents(ledger().chainId).map(({ bytes }) => bytes);
  return [[], events.slice(0, 1), events].map((some) => encodeEventsCommand({ timeSeconds: START, events: some }));
}

/** Of JSON many texts are one command; of an encoding of our own only one is. */
function checkOneEncoding(command: RaftCommand, bytes: Uint8Array): void {
  if (command.kind === 'legacy') return;
  const again = encodeEventsCommand(command);
  if (Buffer.compare(again, bytes) !== 0) throw new TypeError('a command has a second encoding');
}

/** What was taken is taken again, as the same, in its compact form. */
function checkLegacy(bytes: Uint8Array): void {
  const { key, operation, value } = unwrap(decodeLegacyCommand(bytes));
  const text = concatBytes(utf8(`{"Op":"${operation}","Key":${legacyKeyJson(key)},"Value":`), value, utf8('}'));
  const again = unwrap(decodeLegacyCommand(text));
  if (again.key !== key || Buffer.compare(again.value, value) !== 0) throw new TypeError('read again it is another');
}

function chunks(): readonly LedgerChunk[] {
  const { chainId, steps } = ledger();
  const sealed = encodeSealedBlock(steps[0]?.sealed ?? ledger().state.sealed);
  return [
    { kind: 'head', chainId, base: { index: 7, term: 2 }, sealed, controls: NO_CONTROLS },
    { kind: 'state', entries: [...ledger().backing.entries].slice(0, 3).map(([key, value]) => ({ key, value })) },
    { kind: 'state', entries: [] },
  ];
}

function snapshots(): readonly Uint8Array[] {
  const encoded = chunks().map((chunk, place) => chunkText(ledgerChunkCodec.encode(chunk), place === 0));
  return [
    utf8('{}'),
    utf8('{"a":1,"b":{"c":[true,"\\u2028"]}}'),
    concatBytes(LEDGER_OPENING, ...encoded, utf8('],"colour":"blue"}')),
  ];
}

function partsOf(bytes: Uint8Array, pieceBytes: number) {
  const reading = new SnapshotText();
  const parts = [];
  for (let from = 0; from < bytes.length; from += pieceBytes)
    parts.push(...reading.push(bytes.slice(from, from + pieceBytes)));
  return [...parts, ...reading.end()];
}

export const raftLedgerDecoders = [
  decoder({
    name: 'command of the older system',
    covers: ['ledger/legacy-command.ts#decodeLegacyCommand'],
    format: 'json',
    maxBytes: MAX_SNAPSHOT_ITEM_BYTES,
    isBoundedByCaller: true,
    samples: () => LEGACY,
    decode: decodeLegacyCommand,
    encode: null,
    check: (_command, bytes) => checkLegacy(bytes),
  }),
  decoder({
    name: 'command of a Raft log',
    covers: ['ledger/raft-command.ts#decodeCommand'],
    format: 'messagepack',
    maxBytes: MAX_COMMAND_BYTES,
    isBoundedByCaller: true,
    samples: eventCommands,
    decode: decodeCommand,
    encode: null,
    check: checkOneEncoding,
  }),
  decoder<ControlRecord>({
    name: 'control record of a Raft log',
    covers: ['ledger/control-record.ts#decodeControlRecord'],
    format: 'messagepack',
    maxBytes: 4096 + 64,
    isBoundedByCaller: true,
    samples: () => [encodeControlRecord({ kind: 'base', chainId: ledger().chainId, timeSeconds: START })],
    decode(bytes) {
      const decoded = decodeControlRecord(bytes);
      if (!decoded.ok) return decoded;
      // Whatever else is in a no-op is none of the ledger's.
      return decoded.value === null ? refuse('undecodable', 'no control record') : ok(decoded.value);
    },
    encode: encodeControlRecord,
  }),
  decoder({
    name: 'Raft seal',
    covers: ['ledger/raft-seal.ts#decodeRaftSeal'],
    format: 'messagepack',
    maxBytes: MAX_RAFT_SEAL_BYTES,
    samples: () =>
      [null, LEGACY[0] as Uint8Array].map(
        (carried) => encodeRaftSeal({ index: 9, term: 3, controls: hashOf('c'), data: hashOf('d'), carried }).bytes,
      ),
    decode: decodeRaftSeal,
    encode: (seal) => encodeRaftSeal(seal).bytes,
  }),
  codecDecoder('chunk of a Raft snapshot', 'ledger/raft-snapshot.ts#ledgerChunkCodec', ledgerChunkCodec, chunks),
  decoder({
    name: 'Raft snapshot',
    covers: ['node/raft/snapshot-text.ts#SnapshotText'],
    format: 'json',
    maxBytes: MAX_SNAPSHOT_ITEM_BYTES,
    isBoundedByCaller: true,
    samples: snapshots,
    decode: (bytes) => ok(partsOf(bytes, Math.max(1, bytes.length))),
    encode: null,
    check(parts, bytes) {
      const cut = partsOf(bytes, 7);
      if (JSON.stringify(cut) !== JSON.stringify(parts)) throw new TypeError('cut into pieces it is another');
    },
  }),
];
