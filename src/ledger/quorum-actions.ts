/**
 * What validators decide together, by one mechanism: one of them proposes an action, which counts as its approval;
 * others approve the proposal; with the approvals of a quorum of the epoch the action happens, in that block.
 *
 * A proposal names its epoch and the digest of the value that it replaces. It is void once the epoch has ended, once
 * it has expired, and once that value has changed: nobody's approval is ever used for something that they did not
 * see. Void proposals stay in the state until their proposer proposes again, which clears them away.
 */
import { assert } from '../base/assert.ts';
import { bool, codec, hash, list, struct, text, uint, union } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { signersShape, type Signers } from '../qc/bitmap.ts';
import { checkAction, decide, replacedDigest, targetOf } from './actions.ts';
import type { BlockContext } from './block-context.ts';
import { MAX_REASON_LENGTH, MAX_TIME_SECONDS } from './event-fields.ts';
import type {
  ApprovedEvent,
  NodeRemoved,
  ParametersChanged,
  ProposedEvent,
  QuorumAction,
  SchemaActivated,
  StakeStatusChanged,
  WorkerTimeoutSet,
} from './event-schema.ts';
import { MAX_PEER_ID_LENGTH } from './identity.ts';
import { MAX_LIVENESS_WINDOW_SECONDS } from './parameters.ts';
import { MAX_REFERENCE_LENGTH } from './record.ts';
import { proposalKey, proposerKey, type Overlay, type StateReader } from './state.ts';

export const MAX_OPEN_PROPOSALS = 4;

export interface Proposal {
  readonly proposer: string;
  readonly action: QuorumAction;
  readonly epoch: number;
  readonly replaces: Hash;
  /** Unix seconds, block time. */
  readonly expires: number;
  /** Members of the epoch's set, the proposer among them. */
  readonly approvals: Signers;
}

const peerId = text(MAX_PEER_ID_LENGTH);

const actionShape = union<QuorumAction>({
  stakeStatusChanged: struct<Omit<StakeStatusChanged, 'kind'>>({
    peerId,
    isStaked: bool,
    reference: text(MAX_REFERENCE_LENGTH),
  }),
  nodeRemoved: struct<Omit<NodeRemoved, 'kind'>>({ peerId, reason: text(MAX_REASON_LENGTH) }),
  workerTimeoutSet: struct<Omit<WorkerTimeoutSet, 'kind'>>({ peerId, workerTimeout: uint(MAX_TIME_SECONDS) }),
  schemaActivated: struct<Omit<SchemaActivated, 'kind'>>({ schema: uint(0xffff), fromHeight: uint() }),
  parametersChanged: struct<Omit<ParametersChanged, 'kind'>>({
    parameters: struct<ParametersChanged['parameters']>({ livenessWindowSeconds: uint(MAX_LIVENESS_WINDOW_SECONDS) }),
  }),
});

export const proposalCodec = codec(
  struct<Proposal>({
    proposer: peerId,
    action: actionShape,
    epoch: uint(),
    replaces: hash,
    expires: uint(MAX_TIME_SECONDS),
    approvals: signersShape,
  }),
  1024,
);

const openProposalsCodec = codec(list(hash, MAX_OPEN_PROPOSALS), 256);

/**
 * Refusals: `not-a-validator`, `wrong-epoch`, `proposal-expired`, `proposal-void`, `too-many-proposals`, and those of
 * the action.
 *
 * @returns the node whose record the decided action changed; undefined when nothing, or no record, was decided
 */
export function propose(
  overlay: Overlay,
  event: ProposedEvent,
  proposalId: Hash,
  context: BlockContext,
): Result<string | undefined> {
  const member = memberOf(context, event.peerId);
  if (!member.ok) return member;
  const { action, epoch, replaces, expires } = event;
  if (epoch !== context.epoch) return wrongEpoch(epoch, context);
  const admissible = checkAction(overlay, action, context.height);
  if (!admissible.ok) return admissible;
  const proposal = { proposer: event.peerId, action, epoch, replaces, expires, approvals: [member.value] };
  const alive = checkAlive(overlay, proposal, context);
  if (!alive.ok) return alive;
  const open = clearVoid(overlay, event.peerId, context);
  if (open.length >= MAX_OPEN_PROPOSALS) {
    return refuse('too-many-proposals', 'a validator has at most 4 open proposals', {
      open: open.length,
      max: MAX_OPEN_PROPOSALS,
    });
  }
  setOpen(overlay, event.peerId, [...open, proposalId]);
  return settle(overlay, proposal, proposalId, context);
}

/**
 * Refusals: `not-a-validator`, `proposal-unknown`, `wrong-epoch`, `proposal-expired`, `proposal-void`,
 * `already-approved`.
 *
 * @returns as `propose`
 */
export function approve(overlay: Overlay, event: ApprovedEvent, context: BlockContext): Result<string | undefined> {
  const member = memberOf(context, event.peerId);
  if (!member.ok) return member;
  const proposal = readProposal(overlay, event.proposal);
  if (proposal === undefined) {
    return refuse('proposal-unknown', 'no such proposal is open: it was decided, cleared away, or never made', {
      proposal: event.proposal,
    });
  }
  const alive = checkAlive(overlay, proposal, context);
  if (!alive.ok) return alive;
  if (proposal.approvals.includes(member.value)) {
    return refuse('already-approved', 'one approval a member', { proposal: event.proposal, member: event.peerId });
  }
  const approvals = [...proposal.approvals, member.value].sort((a, b) => a - b);
  return settle(overlay, { ...proposal, approvals }, event.proposal, context);
}

/** Decides the proposal if a quorum has approved it, keeps it otherwise. */
function settle(
  overlay: Overlay,
  proposal: Proposal,
  proposalId: Hash,
  context: BlockContext,
): Result<string | undefined> {
  if (proposal.approvals.length < context.validators.quorum) {
    overlay.set(proposalKey(proposalId), proposalCodec.encode(proposal));
    return ok(undefined);
  }
  const decided = decide(overlay, proposal.action, proposalId, context);
  if (!decided.ok) return decided;
  overlay.set(proposalKey(proposalId), undefined);
  const open = openProposals(overlay, proposal.proposer);
  setOpen(
    overlay,
    proposal.proposer,
    open.filter((id) => id !== proposalId),
  );
  return ok(targetOf(proposal.action));
}

function checkAlive(state: StateReader, proposal: Proposal, context: BlockContext): Result<void> {
  if (proposal.epoch !== context.epoch) return wrongEpoch(proposal.epoch, context);
  if (context.timestamp > proposal.expires) {
    return refuse('proposal-expired', 'the proposal has expired', {
      expires: proposal.expires,
      blockTime: context.timestamp,
    });
  }
  const replaced = replacedDigest(state, proposal.action);
  if (!replaced.ok) return replaced;
  if (replaced.value !== proposal.replaces) {
    return refuse('proposal-void', 'the value that the proposal replaces is another one now', {
      replaces: proposal.replaces,
      current: replaced.value,
    });
  }
  return ok(undefined);
}

/** Deletes this proposer's proposals that can no longer be decided. @returns those that still can */
function clearVoid(overlay: Overlay, proposer: string, context: BlockContext): readonly Hash[] {
  return openProposals(overlay, proposer).filter((id) => {
    const proposal = readProposal(overlay, id);
    assert(proposal !== undefined, 'a listed proposal is in the state', { proposer, id });
    const alive = checkAlive(overlay, proposal, context).ok;
    if (!alive) overlay.set(proposalKey(id), undefined);
    return alive;
  });
}

export function readProposal(state: StateReader, id: Hash): Proposal | undefined {
  const bytes = state.get(proposalKey(id));
  return bytes === undefined ? undefined : proposalCodec.decodeOwn(bytes);
}

/** Event ids of the proposals of a validator that were open when it last proposed or had one decided. */
export function openProposals(state: StateReader, proposer: string): readonly Hash[] {
  const bytes = state.get(proposerKey(proposer));
  return bytes === undefined ? [] : openProposalsCodec.decodeOwn(bytes);
}

function setOpen(overlay: Overlay, proposer: string, open: readonly Hash[]): void {
  overlay.set(proposerKey(proposer), open.length === 0 ? undefined : openProposalsCodec.encode(open));
}

/** @returns the signer's index in the epoch's set. Refusals: `not-a-validator`. */
export function memberOf(context: BlockContext, signer: string): Result<number> {
  const index = context.validators.indexOf(signer);
  return index === undefined
    ? refuse('not-a-validator', 'only a validator of the current epoch may do this', {
        peerId: signer,
        epoch: context.epoch,
      })
    : ok(index);
}

export function wrongEpoch(epoch: number, context: BlockContext): Result<never> {
  return refuse('wrong-epoch', 'not of the current epoch', { epoch, current: context.epoch });
}
