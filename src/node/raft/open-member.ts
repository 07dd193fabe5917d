/** What a member of a Raft cluster keeps in its data directory: opened to run, and opened to be recovered. */
import { mkdir } from 'node:fs/promises';
import { sha256Hex } from '../../base/hash.ts';
import { unwrap } from '../../base/result.ts';
import type { EventDecoder } from '../../ledger/event.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { ServerAddress, ServerId } from '../../raft/messages.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { makeValidatorSet, type ValidatorSet } from '../../qc/validator-set.ts';
import type { LevelStore } from '../../store/level-store.ts';
import { loadBlsKey } from '../bls-key.ts';
import type { NodeConfig } from '../config.ts';
import { openStore } from '../open-store.ts';
import { RaftLedger, type LedgerOutlets } from './ledger-machine.ts';
import type { RaftConfig } from './raft-config.ts';
import { raftDirectory, raftSnapshotsDirectory, SnapshotFiles } from './snapshot-files.ts';

export interface OpenMember {
  readonly store: LevelStore;
  readonly snapshots: SnapshotFiles;
  readonly ledger: RaftLedger;
  readonly validators: ValidatorSet;
}

/** Who this server is to the others. Up to protocol version 2 an id is an address, and over libp2p both are the peer id. */
export function selfOf(
  { advertise, id, listen, protocolVersion, transport }: RaftConfig,
  peerId: string,
): { readonly id: ServerId; readonly address: ServerAddress } {
  if (transport === 'libp2p') return { id: peerId, address: peerId };
  const address = advertise ?? listen;
  return { id: protocolVersion === 2 ? address : (id ?? peerId), address };
}

/**
 * @param create whether an empty directory becomes a new member
 * @throws CodedError of `openStore`, of `RaftLedger.open`, and of `makeValidatorSet`
 */
export async function openMember(
  config: Pick<NodeConfig, 'blsKeyFile' | 'dataDirectory'> & { readonly raft: RaftConfig },
  genesis: Genesis,
  parts: { readonly create: boolean; readonly decodeEvent?: EventDecoder; readonly outlets: LedgerOutlets },
): Promise<OpenMember> {
  const { blsKeyFile, dataDirectory, raft } = config;
  const { create, ...ledgerParts } = parts;
  const { scheme } = await loadDefaultScheme();
  const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
  // Of the time after Raft; here it says whose directory this is.
  const validatorKey = blsKeyFile === null ? null : sha256Hex(scheme.publicKeyOf(await loadBlsKey(blsKeyFile)));
  if (create) await mkdir(raftDirectory(dataDirectory), { recursive: true, mode: 0o700 });
  const store = await openStore(dataDirectory, { create, threads: true });
  try {
    const ledger = await RaftLedger.open({ store, genesis, validators, validatorKey, ...ledgerParts });
    const snapshots = await SnapshotFiles.open({
      folder: raftSnapshotsDirectory(dataDirectory),
      maxBytes: raft.maxSnapshotBytes,
      reserveBytes: raft.reserveBytes,
    });
    return { store, snapshots, ledger, validators };
  } catch (error) {
    await store.close();
    throw error;
  }
}
