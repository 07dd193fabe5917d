/** `validators`: who they are, where to reach them, and what each has proposed. */
import { codec, struct, uint } from '../base/codec.ts';
import { unwrap } from '../base/result.ts';
import {
  listedValidatorShape,
  validatorListCodec,
  VALIDATORS_KEY,
  type ListedValidator,
} from '../ledger/validators.ts';
import type { ProjectedBlock, Projection, ProjectionReader, RowOperation, RowReader } from './projection.ts';
import { rangeUnder, rowKey } from './row-key.ts';
import { decodeRow } from './rows.ts';

export interface Proposals {
  readonly blocks: number;
  readonly events: number;
  /** Of the last one. */
  readonly height: number;
}

const validatorCodec = codec(listedValidatorShape, 8 * 1024);
const proposalsCodec = codec(struct<Proposals>({ blocks: uint(), events: uint(), height: uint() }), 64);

const MEMBERS = rowKey('m\0');
const SET_KEY = rowKey('set');

const memberKey = (peerId: string) => rowKey(MEMBERS, peerId);
const proposalsKey = (peerId: string) => rowKey('p\0', peerId);

export const validators: Projection = {
  name: 'validators',
  version: 1,
  apply({ changes, events, header }: ProjectedBlock, view: RowReader): readonly RowOperation[] {
    const operations: RowOperation[] = [];
    const set = changes.find(({ key }) => key === VALIDATORS_KEY)?.value;
    if (set !== undefined) operations.push(...setOps(set, view));
    // The genesis block has no proposer.
    if (header.proposer !== '') {
      const before = proposalsOf(view, header.proposer);
      const after = { blocks: before.blocks + 1, events: before.events + events.length, height: header.height };
      operations.push({ kind: 'put', key: proposalsKey(header.proposer), value: proposalsCodec.encode(after) });
    }
    return operations;
  },
};

export async function listValidators(reader: ProjectionReader): Promise<readonly ListedValidator[]> {
  const members: ListedValidator[] = [];
  for await (const [, row] of reader.entries(rangeUnder(MEMBERS))) members.push(decodeRow(validatorCodec, row));
  return members;
}

/** What a validator, present or past, has proposed. */
export function proposalsOf(view: RowReader, peerId: string): Proposals {
  const row = view.get(proposalsKey(peerId));
  return row === undefined ? { blocks: 0, events: 0, height: 0 } : decodeRow(proposalsCodec, row);
}

/** The list as the state has it is kept too, so that the members of the set before are known. */
function setOps(encoded: Uint8Array, view: RowReader): RowOperation[] {
  const before = view.get(SET_KEY);
  const gone = before === undefined ? [] : decodeRow(validatorListCodec, before).validators;
  const now = unwrap(validatorListCodec.decode(encoded)).validators;
  return [
    ...gone.map(({ peerId }): RowOperation => ({ kind: 'delete', key: memberKey(peerId) })),
    ...now.map((member): RowOperation => ({
      kind: 'put',
      key: memberKey(member.peerId),
      value: validatorCodec.encode(member),
    })),
    { kind: 'put', key: SET_KEY, value: encoded },
  ];
}
