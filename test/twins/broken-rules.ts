/**
 * Rules that are broken one at a time, by exact replacements of text on a copy of the tree: whatever of them a sample of
 * scenarios does not notice, it would not notice in the real sources either. Nothing in `src/` knows of any of this.
 */
import type { Replacement } from '../traps/tree-copy.ts';

export interface BrokenRule {
  readonly rule: string;
  readonly replacements: readonly Replacement[];
  /** Of the sample: how many there may be until one fails. */
  readonly scenarios: number;
}

const commitRule = 'src/hotstuff/commit-rule.ts';
const safetyRules = 'src/hotstuff/safety-rules.ts';

const alsoBelowTimeouts: Replacement = {
  file: 'src/hotstuff/proposal-rules.ts',
  find: 'return certificateRound >= highest',
  replace: 'return certificateRound >= 0',
};

export const brokenRules: readonly BrokenRule[] = [
  {
    rule: 'a quorum is n - f',
    replacements: [
      { file: 'src/qc/validator-set.ts', find: 'return n - faultsOf(n);', replace: 'return n - 2 * faultsOf(n);' },
    ],
    scenarios: 1000,
  },
  {
    rule: 'a commit takes consecutive rounds',
    replacements: [
      { file: commitRule, find: 'if (parent.header.round + 1 !== named.header.round) return null;', replace: '' },
    ],
    scenarios: 1000,
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
    scenarios: 1000,
  },
  {
    rule: 'no vote below the last voted round',
    replacements: [{ file: safetyRules, find: 'if (round <= lastVotedRound) {', replace: 'if (round < 0) {' }],
    scenarios: 1000,
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
    scenarios: 1000,
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
    scenarios: 1000,
  },
  {
    rule: 'a proposal extends the highest certificate of its timeout certificate',
    replacements: [
      alsoBelowTimeouts,
      {
        file: 'src/hotstuff/learning.ts',
        find: '  learnCertificate(replica, certificate.highCertificate);\n',
        replace: '',
      },
    ],
    scenarios: 1000,
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
    scenarios: 1000,
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
    scenarios: 1000,
  },
  {
    rule: 'who speaks of an old round is answered',
    replacements: [
      {
        file: 'src/hotstuff/answering.ts',
        find: 'if (from === self || senderRound >= pacemaker.round) return;',
        replace: 'if (from === self || senderRound >= 0) return;',
      },
    ],
    scenarios: 1000,
  },
  {
    rule: 'a fetch that is lost is made again',
    replacements: [
      {
        file: 'src/hotstuff/fetcher.ts',
        find: 'pursuit.untilMs = elapsedMs + this.#deadlineMs;',
        replace: 'pursuit.untilMs = elapsedMs + 1e9;',
      },
    ],
    scenarios: 1000,
  },
];
