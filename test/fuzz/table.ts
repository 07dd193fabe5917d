/** Every decoder of bytes from outside: from the network, the DHT, gossip, operators' files and the control socket. */
import { consensusDecoders } from './consensus-decoders.ts';
import type { Decoder } from './decoder.ts';
import { fileDecoders } from './file-decoders.ts';
import { ledgerDecoders } from './ledger-decoders.ts';
import { raftDecoders } from './raft-decoders.ts';
import { raftLedgerDecoders } from './raft-ledger-decoders.ts';
import { snapshotDecoders } from './snapshot-decoders.ts';

export const decoders: readonly Decoder[] = [
  ...consensusDecoders,
  ...ledgerDecoders,
  ...raftDecoders,
  ...raftLedgerDecoders,
  ...snapshotDecoders,
  ...fileDecoders,
];

/** Exports below `src/` that are called like a decoder, and why they are not in the table: `file#export`. */
export const otherExports: Readonly<Record<string, string>> = {
  'cli/devnet/mix.ts#parseMix': 'an option that the user of a devnet types',
  'cli/import.ts#importCommand': 'a command',
  'ledger/block.ts#decodeOwnSealedBlock':
    'from the own log; the parts that damage could reach are as in decodeSealedBlock',
  'ledger/own-record.ts#decoded': 'what was decoded from the own store',
  'ledger/known-entries.ts#decodeOwnEntry': 'the own state, by nodeEntryCodec, which is in the table',
  'ledger/exported-record.ts#importExported': 'one record of importRecords, which is in the table',
  'ledger/import-record.ts#importRecord': 'one record of importRecords, which is in the table',
  'ledger/import.ts#parseWithExactIntegers': 'the JSON of importRecords, which is in the table',
  'net/whole-stream.ts#peekFirstByte': 'leaves the byte unread; what it decides between is in the table',
  'node/signature-batch.ts#unpackChecks': 'between two threads of one process',
  'node/control-ledger.ts#parseAtRequest': 'of the own operator, over the socket of this machine, by a schema',
  'node/control-ledger.ts#parseExportRequest': 'of the own operator, over the socket of this machine, by a schema',
  'node/control-ledger.ts#parseHistoryRequest': 'of the own operator, over the socket of this machine, by a schema',
  'node/control-ledger.ts#parseRebuildRequest': 'of the own operator, over the socket of this machine, by a schema',
  'node/control-ledger.ts#parseStatisticsRequest': 'of the own operator, over the socket of this machine, by a schema',
  'node/projections/history-report.ts#parsePosition': 'an option that the own operator types, of two numbers',
  'node/projections/packed-operations.ts#unpackOperations': 'between two threads of one process',
  'projections/history-entry.ts#entryCodec': 'from the own store',
  'projections/rows.ts#decodeRow': 'from the own store',
  'raft/stored-records.ts#appliedCodec': 'from the own store, under a check',
  'raft/stored-records.ts#hardStateCodec': 'from the own store, under a check',
  'raft/stored-records.ts#historyCodec': 'from the own store, under a check',
  'raft/stored-records.ts#logBoundsCodec': 'from the own store, under a check',
  'raft/stored-records.ts#snapshotCodec': 'from the own store, under a check',
  'qc/scheme.ts#decodes': 'turns what a library throws into a refusal',
};

/** Files below `src/` that decode, and of which nothing is in the table. */
export const otherFiles: Readonly<Record<string, string>> = {
  'base/codec.ts': 'what all codecs of the table are made of',
  'cli/devnet/network.ts': 'the manifest that the devnet itself wrote',
  'cli/genesis.ts': 'registrations, judged by genesisValidatorOf, which is in the table',
  'cli/older-records.ts': 'a list of peer ids that the operator wrote; refused as a whole when it is none',
  'cli/raft/list.ts': 'the JSON of parseClusterList, which is in the table',
  'cli/submit.ts': 'an option that the user types',
  'ledger/actions.ts': 'only encodes, for digests',
  'ledger/block-log.ts': 'the own store',
  'ledger/layout-history.ts': 'the own store',
  'node/control-ledger.ts': 'requests of the own operator, over the socket of this machine',
  'node/projections/export.ts': 'the JSON of an event that was decoded before',
  'projections/build-state.ts': 'the own store',
  'projections/history-entry.ts': 'the own store',
  'projections/node-history.ts': 'the own store',
  'projections/statistics.ts': 'the own store',
  'ledger/log-hash.ts': 'only encodes, for digests',
  'node/raft/ledger-store.ts': 'the own store',
  'node/snapshot/restoring-record.ts': 'the own store, under a check',
  'ledger/checked-record.ts': 'the own store; with the safety record, which is in the table',
  'node/replay/place.ts': 'a file that the program itself wrote; a replay begins anew when it is not so',
  'node/control-client.ts': 'answers of the own node, over a socket that only its user can open',
  'node/raft/named-servers.ts': 'a file that the program itself wrote; refused as a whole when it is not so',
  'raft/stored-records.ts': 'the own store, under a check',
  'node/program-version.ts': "the program's own package.json",
  'projections/node-data.ts': 'the own store',
  'projections/rows.ts': 'the own store',
  'projections/validators.ts': 'the own store',
  'qc/ballot.ts': 'only encodes, to be signed',
};
