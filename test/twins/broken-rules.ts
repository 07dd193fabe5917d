/**
 * Rules that are broken one at a time, by exact replacements of text on a copy of the tree: whatever of them a sample of
 * scenarios does not notice, it would not notice in the real sources either. Nothing in `src/` knows of any of this.
 */
import type { Replacement } from '../traps/tree-copy.ts';

export interface BrokenRule {
  readonly rule: string;
  readonly replacements: readonly Replacement[];
  /** A kept scenario, below this folder; or how many of a sample there may be until one fails. */
  readonly noticedBy: string | number;
}

const commitRule = 'src/hotstuff/commit-rule.ts';
const safetyRules = 'src/hotstuff/safety-rules.ts';

export const brokenRules: readonly BrokenRule[] = [
  {
    rule: 'a quorum is n - f',
    replacements: [
      { file: 'src/qc/validator-set.ts', find: 'return n - faultsOf(n);', replace: 'return n - 2 * faultsOf(n);' },
    ],
    noticedBy: 1000,
  },
  {
    // Three certificates, each hidden from the next three who sign: no sample comes upon that.
    rule: 'a commit takes consecutive rounds',
    replacements: [
      { file: commitRule, find: 'if (parent.header.round + 1 !== named.header.round) return null;', replace: '' },
    ],
    noticedBy: 'kept/gap-in-the-rounds.json',
  },
  {
    rule: 'a commit takes two blocks',
    replacements: [
      {
        file: commitRule,
        find: 'for (let step = 1; step < depth; step++) {',
        replace: 'for (let step = 2; step < depth; step++) {',
      },
    ],
    noticedBy: 1000,
  },
  {
    rule: 'no vote below the last voted round',
    replacements: [{ file: safetyRules, find: 'if (round <= lastVotedRound) {', replace: 'if (round < 0) {' }],
    noticedBy: 1000,
  },
  {
    rule: 'a timeout ends voting in its round',
    replacements: [
      {
        file: safetyRules,
        find: 'this.#update({ lastVotedRound: Math.max(lastVotedRound, round), lastTimeout: stored });',
        replace: 'this.#update({ lastTimeout: stored });',
      },
    ],
    noticedBy: 1000,
  },
  {
    rule: 'a timeout names the highest certificate that is known',
    replacements: [
      {
        file: safetyRules,
        find: '      timeout: { round, highRound },\n      highCertificate,',
        replace:
          '      timeout: { round, highRound: lastTimeout?.timeout.highRound ?? highRound },\n      highCertificate: lastTimeout?.highCertificate ?? highCertificate,',
      },
    ],
    noticedBy: 1000,
  },
  {
    rule: 'a timeout certificate carries the highest certificate that its signers named',
    replacements: [
      {
        file: 'src/qc/collect.ts',
        find: 'const highest = Math.max(...highRounds);',
        replace: 'const highest = Math.min(...highRounds);',
      },
    ],
    noticedBy: 1000,
  },
  {
    rule: 'a timeout is sent again',
    replacements: [
      {
        file: 'src/hotstuff/pacemaker.ts',
        find: 'if (this.#gaveUpAtMs !== null) return this.#gaveUpAtMs + this.#baseMs;',
        replace: 'if (this.#gaveUpAtMs !== null) return undefined;',
      },
    ],
    noticedBy: 1000,
  },
  {
    rule: 'what is promised is on disk before it is sent',
    replacements: [
      {
        file: 'src/hotstuff/turn.ts',
        find: 'const safety = rules.takeUnwritten();',
        replace: 'const safety = rules.record.lastVotedRound > 3 ? undefined : rules.takeUnwritten();',
      },
    ],
    noticedBy: 1000,
  },
];
