/**
 * When a proposal is justified: rules 1 to 3 of the four that make it valid. (4: signed by the leader of its round,
 * which is the current one after its certificates were processed, is the business of admission and of the engine.)
 *
 *     happy path          P(r) <--- B(r+1)                 the certificate is of the round before: no other reason given
 *     after a timeout     P(r) <--- B(t+1), TC(t)          a quorum gave up on round t, and nobody in it knew a
 *                                                          certificate above r: nothing later can have been committed
 *
 * The last clause is what makes two chained blocks enough (Jolteon, section 3, rule "safe to extend").
 */
import { ok, refuse, type Result } from '../base/result.ts';
import type { BlockHeader } from '../ledger/block.ts';
import { checkAgainstParent } from '../ledger/block-rules.ts';
import type { QuorumCertificate } from '../qc/certificate.ts';
import type { TimeoutCertificate } from '../qc/timeout-certificate.ts';
import type { ChainLink } from './commit-rule.ts';

export interface Justification {
  readonly justify: QuorumCertificate;
  readonly timeoutCertificate: TimeoutCertificate | null;
}

/**
 * Refusals: `justify-mismatch`, `justify-round-mismatch`, `round-not-justified`, `timeout-certificate-unwanted`,
 * `certificate-below-timeouts`, and those of `checkAgainstParent`.
 *
 * @param parent held, and valid
 */
export function checkJustification(header: BlockHeader, parent: ChainLink, justification: Justification): Result<void> {
  const { justify, timeoutCertificate } = justification;
  // Rule 1: the parent is the certificate's block, and the heights follow each other.
  if (header.parentId !== justify.vote.blockId) {
    return refuse('justify-mismatch', "the proposal's parent is not its certificate's block", {
      round: header.round,
      parentId: header.parentId,
      certified: justify.vote.blockId,
    });
  }
  const { id, header: above } = parent;
  const { epoch, round, height, timestamp } = above;
  const succession = checkAgainstParent(header, { id, epoch, round, height, timestamp });
  if (!succession.ok) return succession;
  // Rule 2: the certificate's round is the certified block's own. (That it verifies, admission has seen to.)
  if (justify.vote.round !== above.round) {
    return refuse('justify-round-mismatch', 'the certificate names another round than its block', {
      certificateRound: justify.vote.round,
      blockRound: above.round,
    });
  }
  // Rule 3: the rounds follow each other, or a quorum gave up on all between and knew nothing higher.
  return checkRoundEntry(header.round, justify.vote.round, timeoutCertificate);
}

function checkRoundEntry(
  round: number,
  certificateRound: number,
  timeoutCertificate: TimeoutCertificate | null,
): Result<void> {
  if (certificateRound + 1 === round) {
    return timeoutCertificate === null
      ? ok(undefined)
      : refuse('timeout-certificate-unwanted', 'a certificate of the round before needs no timeout certificate', {
          round,
          timeoutRound: timeoutCertificate.round,
        });
  }
  if (timeoutCertificate === null || timeoutCertificate.round + 1 !== round) {
    return refuse('round-not-justified', 'the proposal does not show how its round was entered', {
      round,
      certificateRound,
      timeoutRound: timeoutCertificate?.round ?? -1,
    });
  }
  const highest = Math.max(...timeoutCertificate.highRounds);
  return certificateRound >= highest
    ? ok(undefined)
    : refuse('certificate-below-timeouts', 'a validator that gave up knew a higher certificate', {
        round,
        certificateRound,
        highest,
      });
}
