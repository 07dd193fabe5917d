/** Evidence is two votes of one validator for a round: where nobody signs votes, there is none. */
import { refuse, type Result } from '../../base/result.ts';

/** For the event verifier of a member of a Raft cluster. */
export function noVotesToJudge(): Promise<Result<void>> {
  return Promise.resolve(refuse('evidence-without-votes', 'in a Raft epoch nobody signs votes'));
}
