/** Hazards of clusters that need real Go servers to be shown; those that need none are in `test/raft`. */
import { describe, test } from 'vitest';
import { needsGo } from '../interop/go-build.ts';
import {
  comesBackToStrangers,
  doesNotKnow,
  goesQuietly,
  handsOverUnderLoad,
  neverMerges,
  obeysNoStranger,
  yieldsWhenItsDiskHangs,
} from '../interop/hazards.ts';

describe.runIf(needsGo())('a server of ours among Go servers', () => {
  test('that began a cluster of its own is not merged as a non-voter', () => neverMerges('addNonvoter'));
  test('that began a cluster of its own is not merged as a voter', () => neverMerges('addVoter'));
  test('whose others were all replaced is brought up to date by the log', () => comesBackToStrangers(10_000, 'after'));
  test('whose others were all replaced is brought up to date by a snapshot', () => comesBackToStrangers(2, 'after'));
  test('whose others were all replaced is brought up to date behind a snapshot that is older than its log', () =>
    comesBackToStrangers(2, 'before'));
  test('makes way when its disk hangs while it leads', () => yieldsWhenItsDiskHangs());
  test('says that it does not know when it loses its quorum', () => doesNotKnow());
  test('is no trouble when it is demoted, or removed without knowing', () => goesQuietly());
  test('obeys no stranger, and nobody who is not where he says', () => obeysNoStranger());
  test('hands leadership over under load, at the first time of asking', () => handsOverUnderLoad());
});
