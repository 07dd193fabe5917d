/**
 * Rules that are broken on purpose, one at a time, on a copy: each by an exact replacement of text that is there once.
 * The simulator must find each within so many seeds. Unlike the mutants of `test/traps`, nobody tells it where to look.
 */
import type { Replacement } from '../../traps/tree-copy.ts';

export interface BrokenRule extends Replacement {
  readonly rule: string;
  /** What is simulated, as `try-seeds.ts` takes it. */
  readonly network: Network;
  /** From 1 on; one of them must fail. */
  readonly seeds: number;
}

/** Validators and rounds of each seed, or servers and entries of each seed. */
export type Network =
  | readonly [engine: 'hotstuff', validators: number, rounds: number]
  | readonly [engine: 'raft', servers: number, entries: number];

/** Of each seed. */
const ROUNDS = 300;

const FOUR = { network: ['hotstuff', 4, ROUNDS], seeds: 30 } as const;

export const brokenRules: readonly BrokenRule[] = [
  {
    ...FOUR,
    rule: 'only consecutive rounds commit',
    file: 'src/hotstuff/commit-rule.ts',
    find: 'if (parent.header.round + 1 !== named.header.round) return null;',
    replace: '',
  },
  {
    ...FOUR,
    rule: 'a proposal extends as much as those knew who gave up',
    file: 'src/hotstuff/proposal-rules.ts',
    find: 'return certificateRound >= highest',
    replace: 'return certificateRound < round',
  },
  {
    network: ['hotstuff', 6, ROUNDS],
    seeds: 5,
    rule: 'a quorum is n - f',
    file: 'src/qc/validator-set.ts',
    find: 'return n - faultsOf(n);',
    replace: 'return 2 * faultsOf(n) + 1;',
  },
  {
    ...FOUR,
    rule: 'one vote a round',
    file: 'src/hotstuff/safety-rules.ts',
    find: 'if (round <= lastVotedRound) {',
    replace: 'if (round < lastVotedRound) {',
  },
  {
    ...FOUR,
    rule: 'no vote in a round that was given up',
    file: 'src/hotstuff/safety-rules.ts',
    find: 'this.#update({ lastVotedRound: Math.max(lastVotedRound, round), lastTimeout: stored });',
    replace: 'this.#update({ lastTimeout: stored });',
  },
  {
    ...FOUR,
    rule: 'a timeout is signed once a round and never changes',
    file: 'src/hotstuff/safety-rules.ts',
    find: 'if (lastTimeout?.timeout.round === round) return ok(this.#timeoutBallot(lastTimeout));',
    replace: '',
  },
  {
    ...FOUR,
    rule: 'a restart begins where the record ends',
    file: 'src/hotstuff/safety-rules.ts',
    find: 'this.#record = record ?? firstSafetyRecord(genesis);',
    replace: 'this.#record = firstSafetyRecord(genesis);',
  },
  {
    ...FOUR,
    seeds: 5,
    rule: 'only a signature of its own above its record tells a validator that it was rolled back',
    file: 'src/hotstuff/safety-rules.ts',
    find: 'if (signers.includes(this.#self) && round > this.#record.lastVotedRound) this.#rolledBack();',
    replace: 'if (round > this.#record.lastVotedRound) this.#rolledBack();',
  },
  {
    ...FOUR,
    rule: 'what is signed is durable before it is sent: in an engine step',
    file: 'src/hotstuff/turn.ts',
    find: 'return [...this.#early, ...durable, ...this.#outgoing, ...this.#late];',
    replace: 'return [...this.#early, ...this.#outgoing, ...this.#late];',
  },
  {
    ...FOUR,
    rule: 'what is signed is durable before it is sent: in the loop',
    file: 'src/node/loop.ts',
    find: 'await Promise.all([(async () => plan.meanwhile())(), durable]);',
    replace: 'await Promise.all([(async () => plan.meanwhile())()]); durable.catch(() => {});',
  },
  {
    ...FOUR,
    rule: 'the batch of a turn is synced',
    file: 'src/node/loop.ts',
    find: 'this.write({ operations, sync: true })',
    replace: 'this.write({ operations, sync: false })',
  },
  {
    ...FOUR,
    seeds: 5,
    rule: 'a batch without a safety record is synced too',
    file: 'src/node/loop.ts',
    find: 'this.write({ operations, sync: true })',
    replace:
      "this.write({ operations, sync: operations.some(({ key }) => String.fromCharCode(...key) === 'Msafety') })",
  },
  {
    ...FOUR,
    rule: 'the block that is voted for is on disk',
    file: 'src/hotstuff/voting.ts',
    find: 'turn.persist({ id: step.id, bytes: encodeStoredBlock({ block: step.block, justify: step.justify }) });',
    replace: '',
  },
  {
    ...FOUR,
    seeds: 10,
    rule: 'a certificate has a quorum',
    file: 'src/qc/bitmap.ts',
    find: 'if (signers.length < quorum) {',
    replace: 'if (signers.length === 0) {',
  },
  {
    ...FOUR,
    rule: 'a certificate is verified',
    file: 'src/qc/certificate.ts',
    find: 'if (!scheme.verifyAggregate(keys, votePreimage({ chainId: context.chainId, epoch }, vote), signature)) {',
    replace: 'if (signature.length === 0) {',
  },
  {
    ...FOUR,
    rule: 'a block whose root is wrong gets no vote',
    file: 'src/ledger/block-rules.ts',
    find: 'return header.stateRoot === executed.stateRoot',
    replace: 'return header.stateRoot.length === executed.stateRoot.length',
  },
  {
    ...FOUR,
    rule: 'an event is applied once, in the order of its numbers',
    file: 'src/ledger/transition.ts',
    find: 'if (entry === undefined || event.seq > entry.lastSeq) return ok(undefined);',
    replace: 'if (entry === undefined || event.seq > 0) return ok(undefined);',
  },
  {
    ...FOUR,
    rule: 'an action takes a quorum',
    file: 'src/ledger/quorum-actions.ts',
    find: 'if (proposal.approvals.length < context.validators.quorum) {',
    replace: 'if (proposal.approvals.length < context.validators.quorum - 1) {',
  },
  {
    ...FOUR,
    rule: 'what others made void leaves the mempool',
    file: 'src/hotstuff/giving-up.ts',
    find: 'rejectVoid(replica);',
    replace: '',
  },
  {
    ...FOUR,
    rule: 'a timeout is sent until its round ends',
    file: 'src/hotstuff/pacemaker.ts',
    find: 'if (this.#gaveUpAtMs !== null) return this.#gaveUpAtMs + this.#baseMs;',
    replace: 'if (this.#gaveUpAtMs !== null) return undefined;',
  },
  {
    ...FOUR,
    rule: 'an unanswered fetch is asked of another',
    file: 'src/hotstuff/fetcher.ts',
    find: 'pursuit.untilMs = elapsedMs + this.#deadlineMs;\n    turn.fetch',
    replace: 'pursuit.untilMs = Infinity;\n    turn.fetch',
  },
  {
    ...FOUR,
    rule: 'who is behind is answered',
    file: 'src/hotstuff/answering.ts',
    find: 'if (senderRound < replica.pacemaker.round) answer(replica, from);',
    replace: '',
  },
  {
    ...FOUR,
    rule: 'clocks that are set back stop nobody: timers run on',
    file: 'src/consensus/forward-clock.ts',
    find: 'this.#elapsedMs += Math.max(0, nowMs - this.#wallMs);',
    replace: 'this.#elapsedMs += nowMs - this.#wallMs;',
  },
  {
    ...FOUR,
    rule: 'clocks that are set back stop nobody: votes go on',
    file: 'src/ledger/block-rules.ts',
    find: 'const latest = Math.max(parentTimestamp, nowSeconds + MAX_CLOCK_LEAD_SECONDS);',
    replace: 'const latest = nowSeconds + MAX_CLOCK_LEAD_SECONDS;',
  },
  {
    ...FOUR,
    rule: 'clocks that are set back stop nobody: block time stands still',
    file: 'src/hotstuff/proposing.ts',
    find: 'const timestamp = Math.max(parent.header.timestamp, nowSeconds(replica));',
    replace: 'const timestamp = nowSeconds(replica);',
  },
  {
    ...FOUR,
    rule: 'the mempool is bounded',
    file: 'src/consensus/mempool.ts',
    find: 'if (this.size >= this.#limits.maxEvents || this.#bytes + event.bytes.length > this.#limits.maxBytes) {',
    replace: 'if (this.#bytes + event.bytes.length > this.#limits.maxBytes) {',
  },
  {
    // The first of four validators with a flooder and a short inbox is the 24th seed.
    ...FOUR,
    rule: 'the inbox is bounded',
    file: 'src/node/inbox.ts',
    find: 'if (used > 0 && used + share.weight > share.bound) return false;',
    replace: '',
  },
  {
    ...FOUR,
    rule: 'a submission is acknowledged when it is durable',
    file: 'src/node/submissions.ts',
    find: "if (until === 'committed') return this.#committedLater(verified.value);",
    replace: '',
  },
];
