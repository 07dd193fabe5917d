/** What follows from a genesis alone: the first state and the first block. */
import { ZERO_HASH } from '../base/hash.ts';
import { makeBlock, type Block, type SealedBlock } from './block.ts';
import { byPeerId, chainIdOf, type Genesis } from './genesis.ts';
import { LedgerMachine, type Head } from './machine.ts';
import { encodeParameters } from './parameters.ts';
import { nodeEntryCodec } from './record.ts';
import { StateTree } from './state-tree.ts';
import { nodeKey, PARAMETERS_KEY, type StateChange, type StateReader } from './state.ts';
import { validatorListCodec, VALIDATORS_KEY } from './validators.ts';

const EPOCH = 0;

/** Everything that follows from a genesis. */
export interface GenesisState {
  readonly chainId: string;
  readonly block: Block;
  readonly sealed: SealedBlock;
  /** The first state, as changes to an empty one. */
  readonly changes: readonly StateChange[];
}

/** Builds the state tree once, for its root: about 20 us a record. */
export function genesisState(genesis: Genesis): GenesisState {
  const chainId = chainIdOf(genesis);
  const changes = firstState(genesis);
  const tree = new StateTree();
  const block = makeBlock(
    {
      chainId,
      epoch: EPOCH,
      round: 0,
      height: 0,
      parentId: ZERO_HASH,
      justifyDigest: ZERO_HASH,
      proposer: '',
      timestamp: genesis.timestamp,
      stateRoot: tree.update(tree.empty, changes).root,
      nextValidatorSet: null,
    },
    [],
  );
  return { chainId, block, sealed: { block, seal: { kind: 'genesis', bytes: new Uint8Array(0) } }, changes };
}

/** A machine at the genesis block. @param backing holds, or will be asked only after it holds, the first state */
export function machineAtGenesis({ chainId, block, changes }: GenesisState, backing: StateReader): LedgerMachine {
  const tree = new StateTree();
  const version = tree.update(tree.empty, changes);
  tree.retire(tree.empty);
  return new LedgerMachine({ chainId, head: headOf(block), backing, tree, version });
}

export function headOf({ id, header }: Pick<Block, 'id' | 'header'>): Head {
  const { height, stateRoot, timestamp } = header;
  return { height, blockId: id, stateRoot, timestamp };
}

/** The first state, as changes to an empty one. */
export function firstState({ parameters, records, validators }: Genesis): StateChange[] {
  return [
    { key: PARAMETERS_KEY, value: encodeParameters(parameters) },
    { key: VALIDATORS_KEY, value: validatorListCodec.encode({ epoch: EPOCH, validators: byPeerId(validators) }) },
    ...byPeerId(records).map((record) => ({ key: nodeKey(record.peerId), value: nodeEntryCodec.encode(record) })),
  ];
}
