/**
 * The known traps of chained HotStuff (design, section 6, in its order), each with the guard that stands against it and
 * with mutants: the guard taken out by an exact replacement of text, which the named test must notice.
 *
 * `traps.md` is made of this table; `mutants.ts` runs it. Nothing in `src/` knows of any of this.
 */
import type { Replacement } from './tree-copy.ts';

export interface Mutant extends Replacement {
  /** Fails with the replacement, passes without. */
  readonly test: { readonly file: string; readonly name: string };
}

export interface Trap {
  readonly trap: string;
  /** File and function. */
  readonly guard: string;
  readonly mutants: readonly Mutant[];
}

function testOf(file: string) {
  return (name: string) => ({ file, name });
}

const commitRuleTest = testOf('test/hotstuff/commit-rule.test.ts');
const proposalTest = testOf('test/hotstuff/proposal-rules.test.ts');
const safetyTest = testOf('test/hotstuff/safety-rules.test.ts');
const collectorTest = testOf('test/hotstuff/collectors.test.ts');
const pacemakerTest = testOf('test/hotstuff/pacemaker.test.ts');
const livenessTest = testOf('test/hotstuff/liveness.test.ts');
const restartTest = testOf('test/hotstuff/restart.test.ts');
const laggardTest = testOf('test/hotstuff/catching-up.test.ts');
const byzantineTest = testOf('test/hotstuff/byzantine.test.ts');
const admissionTest = testOf('test/hotstuff/admission.test.ts');
const treeTest = testOf('test/hotstuff/block-tree.test.ts');
const turnTest = testOf('test/hotstuff/turn.test.ts');
const setTest = testOf('test/qc/validator-set.test.ts');
const certificateTest = testOf('test/qc/certificate.test.ts');

export const traps: readonly Trap[] = [
  {
    trap: 'the commit rule without checking consecutive rounds',
    guard: 'src/hotstuff/commit-rule.ts, commitInfoOf',
    mutants: [
      {
        file: 'src/hotstuff/commit-rule.ts',
        find: 'if (parent.header.round + 1 !== named.header.round) return null;',
        replace: '',
        test: commitRuleTest('at depth 2, rounds'),
      },
      {
        file: 'src/hotstuff/commit-rule.ts',
        find: 'for (let step = 1; step < depth; step++) {',
        replace: 'for (let step = 1; step < 2; step++) {',
        test: commitRuleTest('at depth 3, rounds'),
      },
    ],
  },
  {
    trap: "a proposal whose parent is not its certificate's block",
    guard: 'src/hotstuff/proposal-rules.ts, checkJustification, rule 1',
    mutants: [
      {
        file: 'src/hotstuff/proposal-rules.ts',
        find: 'if (header.parentId !== justify.vote.blockId) {',
        replace: 'if (header.parentId === justify.vote.parentId) {',
        test: proposalTest("with another block's certificate is refused"),
      },
      {
        file: 'src/hotstuff/stored-block.ts',
        find: 'if (header.justifyDigest !== certificateDigest(justify) || header.parentId !== justify.vote.blockId) {',
        replace: 'if (header.parentId !== justify.vote.blockId) {',
        test: testOf('test/hotstuff/wire.test.ts')(
          'with a certificate of the right block that its header does not name',
        ),
      },
    ],
  },
  {
    trap: 'an inflated certificate round',
    guard: 'src/hotstuff/proposal-rules.ts, checkJustification, rule 2; src/qc/certificate.ts, verifyCertificate',
    mutants: [
      {
        file: 'src/hotstuff/proposal-rules.ts',
        find: 'if (justify.vote.round !== above.round) {',
        replace: 'if (justify.vote.round < above.round) {',
        test: proposalTest('with an inflated certificate is refused'),
      },
      {
        file: 'src/qc/certificate.ts',
        find: 'if (!scheme.verifyAggregate(keys, votePreimage({ chainId: context.chainId, epoch }, vote), signature)) {',
        replace: 'if (signature.length === 0) {',
        test: certificateTest('cannot be inflated to another round or given other signers'),
      },
    ],
  },
  {
    trap: 'unverified certificates inside timeouts poisoning an aggregate',
    guard: 'src/hotstuff/timeout-collector.ts, quorum; src/hotstuff/admission.ts, timeoutCandidate',
    mutants: [
      {
        file: 'src/hotstuff/timeout-collector.ts',
        find: 'while (usable[0] !== undefined && !isVerified(usable[0].ballot.highRound)) usable.shift();',
        replace: 'isVerified(0);',
        test: collectorTest('that claim a certificate nobody verified here are left out, whoever else is in'),
      },
      {
        file: 'src/hotstuff/admission.ts',
        find: 'const high = highRound > view.highCertificateRound ? lookUpCertificate(highCertificate, view) : NOT_NEEDED;',
        replace: 'const high = NOT_NEEDED;',
        test: admissionTest('owes its certificates where they are above what this node knows'),
      },
      {
        file: 'src/hotstuff/admission.ts',
        find: 'if (highCertificate.vote.round !== highRound || highRound >= round) {',
        replace: 'if (highRound >= round) {',
        test: admissionTest('that names another round than its certificate is of is refused'),
      },
    ],
  },
  {
    trap: 'a duplicate vote blocking a certificate',
    guard: 'src/hotstuff/ballot-slots.ts, take; src/hotstuff/vote-collector.ts, quorums',
    mutants: [
      {
        file: 'src/hotstuff/vote-collector.ts',
        find: 'if (vote === undefined || ballots.length < this.#quorum) continue;',
        replace: 'if (vote === undefined || ballots.length !== this.#quorum) continue;',
        test: collectorTest('make a quorum when enough different validators voted the same'),
      },
      {
        file: 'src/hotstuff/ballot-slots.ts',
        find: "if (held.ballot.round > ballot.round || this.#same(held.ballot, ballot)) return { kind: 'known' };",
        replace:
          "if (this.#same(held.ballot, ballot)) this.#slots.delete(signer);\n    if (held.ballot.round > ballot.round || this.#same(held.ballot, ballot)) return { kind: 'known' };",
        test: collectorTest('of one validator count once, however often they come'),
      },
    ],
  },
  {
    trap: 'disjoint quorums at n = 6',
    guard: 'src/qc/validator-set.ts, quorumOf',
    mutants: [
      {
        file: 'src/qc/validator-set.ts',
        find: 'return n - faultsOf(n);',
        replace: 'return 2 * faultsOf(n) + 1;',
        test: livenessTest('between two halves commit nothing in either, and all is well when they heal'),
      },
      {
        file: 'src/qc/validator-set.ts',
        find: 'return n - faultsOf(n);',
        replace: 'return 2 * faultsOf(n) + 1;',
        test: setTest('cannot be two disjoint halves of six'),
      },
    ],
  },
  {
    trap: 'timeouts sent only once',
    guard: 'src/hotstuff/pacemaker.ts, expiresAtMs',
    mutants: [
      {
        file: 'src/hotstuff/pacemaker.ts',
        find: 'if (this.#gaveUpAtMs !== null) return this.#gaveUpAtMs + this.#baseMs;',
        replace: 'if (this.#gaveUpAtMs !== null) return undefined;',
        test: livenessTest('of every first sending of a timeout do not stop the network'),
      },
    ],
  },
  {
    trap: 'advancing one round a certificate',
    guard: 'src/hotstuff/pacemaker.ts, follow',
    mutants: [
      {
        file: 'src/hotstuff/pacemaker.ts',
        find: 'const round = Math.max(certificateRound, timeoutCertificateRound) + 1;',
        replace: 'const round = Math.min(this.#round, Math.max(certificateRound, timeoutCertificateRound)) + 1;',
        test: pacemakerTest('jumps to one above the highest certificate of either kind'),
      },
    ],
  },
  {
    trap: 'laggards that never catch up because a fetch was dropped',
    guard: 'src/hotstuff/fetcher.ts, pursue',
    mutants: [
      {
        file: 'src/hotstuff/fetcher.ts',
        find: 'pursuit.untilMs = elapsedMs + this.#deadlineMs;\n    turn.fetch',
        replace: 'pursuit.untilMs = Infinity;\n    turn.fetch',
        test: testOf('test/hotstuff/fetcher.test.ts')(
          'is asked of one server at a time, and of the next one when no answer comes',
        ),
      },
      {
        file: 'src/hotstuff/catching-up.ts',
        find: 'const isElusive = byId.some(({ key }) => fetcher.failuresOf(key) > 0);',
        replace: 'const isElusive = byId.some(({ key }) => fetcher.failuresOf(key) > Infinity);',
        test: laggardTest('that nobody told what is committed asks by height when nobody has the block by id'),
      },
    ],
  },
  {
    trap: 'a restart that re-enters too low a round',
    guard: 'src/hotstuff/new-replica.ts and learning.ts, enterRound; src/hotstuff/safety-record.ts',
    mutants: [
      {
        file: 'src/hotstuff/learning.ts',
        find: 'if (!pacemaker.follow(certified, highTimeoutCertificate?.round ?? 0, clock.elapsedMs)) return;',
        replace:
          'if (!pacemaker.follow(certified, pacemaker.round === 0 ? 0 : highTimeoutCertificate?.round ?? 0, clock.elapsedMs)) return;',
        test: restartTest('never enters a lower round than it was in'),
      },
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'this.#record = record ?? firstSafetyRecord(genesis);',
        replace: 'this.#record = firstSafetyRecord(genesis);',
        test: restartTest('never enters a lower round than it was in'),
      },
    ],
  },
  {
    trap: 'sync servers chosen only from the old validator set',
    guard: 'src/hotstuff/catching-up.ts, serversOf: every validator of the present set, the signers first',
    mutants: [
      {
        file: 'src/hotstuff/catching-up.ts',
        find: 'return othersOf(replica).sort((a, b) => rank(a) - rank(b) || a - b);',
        replace: 'return signers.filter((index) => index !== replica.self).sort((a, b) => rank(a) - rank(b) || a - b);',
        test: laggardTest('gets there though the signers are gone: every validator of the present set is asked'),
      },
    ],
  },
  {
    trap: 'a syncing peer that lowers its advertised height',
    guard: 'src/hotstuff/learning.ts, learnCertificate: the goal only rises, and only by verified certificates',
    mutants: [
      {
        file: 'src/hotstuff/learning.ts',
        find: 'if (commit !== null && commit.height > target) replica.commitTarget = certificate;',
        replace: 'if (commit !== null && target >= 0) replica.commitTarget = certificate;',
        test: laggardTest('leaves its goal where it is when a lower one is told'),
      },
    ],
  },
  {
    trap: 'signers of duplicate validator slots',
    guard: 'src/qc/bitmap.ts, checkSigners; src/qc/validator-set.ts, checkMembers',
    mutants: [
      {
        file: 'src/qc/bitmap.ts',
        find: 'if (!(signer > previous)) {',
        replace: 'if (!(signer >= previous)) {',
        test: certificateTest('counts no signer twice'),
      },
      {
        file: 'src/qc/validator-set.ts',
        find: 'if (owner !== undefined) {',
        replace: 'if (owner === peerId) {',
        test: setTest('has every peer id and every key once'),
      },
    ],
  },
  {
    trap: 'keys without proof of possession',
    guard: 'src/qc/validator-set.ts, checkPossession',
    mutants: [
      {
        file: 'src/qc/validator-set.ts',
        find: 'if (!scheme.verify(blsPublicKey, possessionPreimage(peerId, blsPublicKey), proofOfPossession)) {',
        replace: 'if (proofOfPossession.length === 0) {',
        test: setTest('refuses a key without its proof of possession'),
      },
    ],
  },
  {
    trap: 'evidence with unverified signatures',
    guard: 'src/hotstuff/evidence-book.ts, judge',
    mutants: [
      {
        file: 'src/hotstuff/evidence-book.ts',
        find: 'trial.holds &&= valid;',
        replace: 'trial.holds ||= valid;',
        test: byzantineTest('is not convicted by signatures that are not its own'),
      },
    ],
  },
  {
    trap: 'a validator that alone holds an entry',
    guard: 'src/hotstuff/giving-up.ts, sendTimeout; src/hotstuff/committing.ts, passOverForks',
    mutants: [
      {
        file: 'src/hotstuff/giving-up.ts',
        find: 'turn.forward(mempool.next(MAX_FORWARDED_EVENTS));',
        replace: 'mempool.next(MAX_FORWARDED_EVENTS);',
        test: livenessTest('of the forwarded event leave it with one validator, which tells the others again'),
      },
      {
        file: 'src/hotstuff/giving-up.ts',
        find: "passOverForks(replica); // the events of this round's block are to be told as well",
        replace: '',
        test: livenessTest('of a proposal to all, whose leader then forgot the event, leave it in the block alone'),
      },
      {
        file: 'src/hotstuff/block-tree.ts',
        find: 'if (!passedOver && header.height > height) return true;',
        replace: 'if (passedOver || header.height > height) return true;',
        test: treeTest(
          'passes over blocks with events that no certificate leads to once their round is over, each once',
        ),
      },
    ],
  },
  {
    trap: 'the last certificate known to one leader only',
    guard: 'src/hotstuff/engine.ts, #advance',
    mutants: [
      {
        file: 'src/hotstuff/engine.ts',
        find: "if (replica.formed !== null) turn.send({ kind: 'certificate', certificate: replica.formed }, 'all');",
        replace: 'if (replica.formed !== null) replica.formed = null;',
        test: livenessTest('of 10 validators commits an event everywhere and is idle again'),
      },
      {
        file: 'src/hotstuff/answering.ts',
        find: 'if (senderRound < replica.pacemaker.round) answer(replica, from);',
        replace: 'if (senderRound < 0) answer(replica, from);',
        test: livenessTest('of the last certificate to all but one are made good by those that wait for it'),
      },
    ],
  },
  {
    trap: 'a timer that fires at once after an idle hour',
    guard: 'src/hotstuff/pacemaker.ts, expiresAtMs',
    mutants: [
      {
        file: 'src/hotstuff/pacemaker.ts',
        find: 'return Math.max(this.#enteredAtMs, this.#busySinceMs) + this.#waitMs;',
        replace: 'return this.#enteredAtMs + this.#waitMs;',
        test: livenessTest(
          'writes nothing and asks for no tick while idle, and the first event after an hour commits at once',
        ),
      },
      {
        file: 'src/hotstuff/pacemaker.ts',
        find: 'if (!busy) this.#busySinceMs = null;\n    else this.#busySinceMs ??= elapsedMs;',
        replace: 'if (busy) this.#busySinceMs ??= elapsedMs;',
        test: livenessTest(
          'writes nothing and asks for no tick while idle, and the first event after an hour commits at once',
        ),
      },
    ],
  },
  {
    trap: 'all clocks stepped back',
    guard:
      'src/consensus/forward-clock.ts, observe; src/ledger/block-rules.ts, checkVotingTime; src/hotstuff/proposing.ts, select',
    mutants: [
      {
        file: 'src/consensus/forward-clock.ts',
        find: 'this.#elapsedMs += Math.max(0, nowMs - this.#wallMs);',
        replace: 'this.#elapsedMs += nowMs - this.#wallMs;',
        test: livenessTest('that are all set back by an hour stop nobody'),
      },
      {
        file: 'src/ledger/block-rules.ts',
        find: 'const latest = Math.max(parentTimestamp, nowSeconds + MAX_CLOCK_LEAD_SECONDS);',
        replace: 'const latest = nowSeconds + MAX_CLOCK_LEAD_SECONDS;',
        test: livenessTest('that are all set back by an hour stop nobody'),
      },
      {
        file: 'src/hotstuff/proposing.ts',
        find: 'const timestamp = Math.max(parent.header.timestamp, nowSeconds(replica));',
        replace: 'const timestamp = nowSeconds(replica);',
        test: livenessTest('that are all set back by an hour stop nobody'),
      },
    ],
  },
  {
    trap: 'a late certificate that changes a timeout already signed',
    guard: 'src/hotstuff/safety-rules.ts, timeout, T1',
    mutants: [
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'if (lastTimeout?.timeout.round === round) return ok(this.#timeoutBallot(lastTimeout));',
        replace: '',
        test: safetyTest('is the same bytes ever after, though a later certificate has come'),
      },
    ],
  },
];

/** Rules that are no trap by name, and on which safety or liveness rests all the same. */
export const rules: readonly Trap[] = [
  {
    trap: 'two votes in a round',
    guard: 'src/hotstuff/safety-rules.ts, vote, V2',
    mutants: [
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'if (round <= lastVotedRound) {',
        replace: 'if (round < lastVotedRound) {',
        test: safetyTest('happens once a round, whatever the block'),
      },
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'const justified = checkJustification(block.header, parent, request);\n    if (!justified.ok) return justified;',
        replace: '',
        test: safetyTest('is refused for what is not justified, and promises nothing'),
      },
    ],
  },
  {
    trap: 'a vote after a timeout in one round',
    guard: 'src/hotstuff/safety-rules.ts, timeout',
    mutants: [
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'this.#update({ lastVotedRound: Math.max(lastVotedRound, round), lastTimeout: stored });',
        replace: 'this.#update({ lastTimeout: stored });',
        test: safetyTest('never happens in a round that was given up'),
      },
    ],
  },
  {
    trap: 'a timeout that hides what was voted on, or is of a round that never began',
    guard: 'src/hotstuff/safety-rules.ts, timeout, T2 to T4',
    mutants: [
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'if (round < lastVotedRound) {',
        replace: 'if (round < 0) {',
        test: safetyTest('is refused below the last voted round'),
      },
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'if (highRound < lockedRound) {',
        replace: 'if (highRound < 0) {',
        test: safetyTest('is refused below the lock'),
      },
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'if (!byCertificate && !byTimeouts) {',
        replace: 'if (!byCertificate && !byTimeouts && round < 0) {',
        test: safetyTest('is refused of a round never entered'),
      },
    ],
  },
  {
    trap: 'a proposal that extends less than what a validator knew that gave up',
    guard: 'src/hotstuff/proposal-rules.ts, checkRoundEntry',
    mutants: [
      {
        file: 'src/hotstuff/proposal-rules.ts',
        find: 'return certificateRound >= highest',
        replace: 'return certificateRound <= highest',
        test: proposalTest('with a certificate too low is refused'),
      },
      {
        file: 'src/hotstuff/proposal-rules.ts',
        find: 'if (timeoutCertificate === null || timeoutCertificate.round + 1 !== round) {',
        replace: 'if (timeoutCertificate === null) {',
        test: proposalTest('with a timeout certificate of elsewhere is refused'),
      },
    ],
  },
  {
    trap: 'a vote for a block that gives another state root',
    guard: 'src/hotstuff/voting.ts, validate',
    mutants: [
      {
        file: 'src/ledger/block-rules.ts',
        find: 'return header.stateRoot === executed.stateRoot',
        replace: 'return executed.stateRoot !== header.parentId',
        test: byzantineTest('whose block gives another state root gets no vote'),
      },
    ],
  },
  {
    trap: 'a proposal by another than the leader',
    guard: 'src/hotstuff/admission.ts, proposalCandidate',
    mutants: [
      {
        file: 'src/hotstuff/admission.ts',
        find: 'if (from !== leader || proposer !== validators.member(leader).peerId) {',
        replace: 'if (proposer !== validators.member(from).peerId) {',
        test: admissionTest('is refused from anybody but the leader of its round'),
      },
    ],
  },
  {
    trap: 'something sent before it is durable',
    guard: 'src/hotstuff/turn.ts, effects',
    mutants: [
      {
        file: 'src/hotstuff/turn.ts',
        find: 'return [...this.#early, ...durable, ...this.#outgoing, ...this.#late];',
        replace: 'return [...this.#early, ...this.#outgoing, ...durable, ...this.#late];',
        test: turnTest('come after what must be durable before them'),
      },
      {
        file: 'src/hotstuff/voting.ts',
        find: 'turn.persist({ id: step.id, bytes: encodeStoredBlock({ block: step.block, justify: step.justify }) });',
        replace: '',
        test: livenessTest('of 4 validators commits an event everywhere and is idle again'),
      },
    ],
  },
  {
    trap: 'a signature before a quorum was heard, or after a rollback',
    guard: 'src/hotstuff/safety-rules.ts, silence and hear',
    mutants: [
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'return this.#heard.size >= this.#quorum;',
        replace: 'return this.#heard.size > 0;',
        test: restartTest('signs nothing before it has heard from a quorum, itself included'),
      },
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'if (vote !== null && vote.round > lastVotedRound) this.#rolledBack();',
        replace: '',
        test: safetyTest('begins and survives a restart when others hold a vote above the record'),
      },
      {
        file: 'src/hotstuff/safety-rules.ts',
        find: 'this.#dirty = !this.#recordMissing;',
        replace: 'this.#dirty = true;',
        test: restartTest('that is missing means to follow and never to sign'),
      },
    ],
  },
  {
    trap: 'one who is behind is not helped, or votes reach one leader only',
    guard: 'src/hotstuff/voting.ts, voteRecipients; src/hotstuff/collecting.ts, collectAtMs; src/hotstuff/giving-up.ts',
    mutants: [
      {
        file: 'src/hotstuff/voting.ts',
        find: 'return [...new Set([leaderAt(replica, round + 1), leaderAt(replica, round + 2)])];',
        replace: 'return [leaderAt(replica, round + 1)];',
        test: livenessTest('costs one timeout at depth 2, and no block'),
      },
      {
        file: 'src/hotstuff/giving-up.ts',
        find: 'if (vote !== undefined) turn.cast(vote, all);',
        replace: 'if (vote !== undefined) return true;',
        test: livenessTest('and its successor too, at n = 7, cost a timeout more, and no block'),
      },
      {
        file: 'src/hotstuff/giving-up.ts',
        find: 'if (!joinsOthers && !pacemaker.hasExpired(clock.elapsedMs)) return false;',
        replace: 'if (!pacemaker.hasExpired(clock.elapsedMs)) return false;',
        test: livenessTest('of f + 1 that gave up are joined by the others at once'),
      },
    ],
  },
  {
    trap: 'a leader that is content keeps those waiting who need two leaders in a row',
    guard: 'src/hotstuff/replica.ts, mustGoOn',
    mutants: [
      {
        file: 'src/hotstuff/replica.ts',
        find: 'return tree.hasWork || (commit === null && round > 0);',
        replace: 'return tree.hasWork || (commit === null && round < 0);',
        test: testOf('test/scenarios/scenario.test.ts')('content-leader.txt goes as it is written'),
      },
    ],
  },
  {
    trap: 'whoever alone waits for a commit that the others have seen gives up in a round that is not over',
    guard: 'src/hotstuff/answering.ts, answerIfUnaware',
    mutants: [
      {
        file: 'src/hotstuff/collecting.ts',
        find: 'answerIfUnaware(replica, from, timeout.highRound);',
        replace: 'answerIfUnaware(replica, from, timeout.round);',
        test: testOf('test/scenarios/scenario.test.ts')('gives-up-alone.txt goes as it is written'),
      },
    ],
  },
];
