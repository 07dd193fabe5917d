/** Each thing that happens in a scenario, in one line. Servers are numbers; entries are `index/term what`. */
import type { RaftEffect, RaftStatus } from '../../../src/raft/contract.ts';
import type { Entry, RaftRequest, RaftResponse } from '../../../src/raft/messages.ts';
import type { Passage } from '../network.ts';
import type { Server } from '../server.ts';
import { numberOf, tellConfiguration, tellEntry } from '../words.ts';

export function tellPassage(
  { from, to, message, isAnswer }: Passage,
  fate: 'sent' | 'held' | 'lost' | 'refused',
): string {
  const said = isAnswer ? tellResponse(message as RaftResponse) : tellRequest(message as RaftRequest);
  return `${from} -> ${to} ${said}${fate === 'sent' ? '' : ` (${fate === 'refused' ? 'nobody is there' : fate})`}`;
}

/** The quiet traffic of a leader: nothing in it changes anything. */
export function isHeartbeat({ channel }: Passage): boolean {
  return channel === 'heartbeat';
}

function tellRequest(request: RaftRequest): string {
  switch (request.kind) {
    case 'appendEntries': {
      if (request.entries === null) return `heartbeat term ${request.term}`;
      const { term, prevIndex, prevTerm, commitIndex, entries } = request;
      const what = entries.length === 0 ? '' : `: ${tellEntries(entries)}`;
      return `append term ${term} after ${prevIndex}/${prevTerm} commit ${commitIndex}${what}`;
    }
    case 'requestVote': {
      const { term, lastIndex, lastTerm, isTransfer } = request;
      return `vote? term ${term} last ${lastIndex}/${lastTerm}${isTransfer ? ' as the leader asked' : ''}`;
    }
    case 'preVote':
      return `would you vote? term ${request.term} last ${request.lastIndex}/${request.lastTerm}`;
    case 'installSnapshot': {
      const { term, lastIndex, lastTerm, configuration } = request;
      return `snapshot term ${term} last ${lastIndex}/${lastTerm} of {${tellConfiguration(configuration)}}`;
    }
    case 'timeoutNow':
      return 'stand now';
  }
}

function tellResponse(response: RaftResponse): string {
  switch (response.kind) {
    case 'appendEntries':
      return `append ${response.success ? 'yes' : 'no'} term ${response.term} last ${response.lastIndex}`;
    case 'requestVote':
      return `vote ${response.granted ? 'yes' : 'no'} term ${response.term}`;
    case 'preVote':
      return `would vote ${response.granted ? 'yes' : 'no'} term ${response.term}`;
    case 'installSnapshot':
      return `snapshot ${response.success ? 'yes' : 'no'} term ${response.term}`;
    case 'timeoutNow':
      return 'stands';
  }
}

/** Many in a row are told by their ends. */
function tellEntries(entries: readonly Entry[]): string {
  if (entries.length > 6) {
    const [first, last] = [entries[0], entries.at(-1)];
    if (first !== undefined && last !== undefined) return `${tellAt(first)} to ${tellAt(last)}`;
  }
  return entries.map(tellAt).join(', ');
}

function tellAt(entry: Entry): string {
  return `${entry.index}/${entry.term} ${tellEntry(entry)}`;
}

/** Null for what another line tells already. */
export function tellEffect({ number, isDiskStalled }: Server, effect: RaftEffect): string | null {
  switch (effect.kind) {
    case 'persist':
      return `${number} ${isDiskStalled ? 'waits to write' : 'writes'} ${tellWrite(effect)}`;
    case 'commit':
      return `${number} commits up to ${effect.index}`;
    case 'restore': {
      const { lastIndex, lastTerm } = effect.snapshot;
      return `${number} takes in the snapshot up to ${lastIndex}/${lastTerm}`;
    }
    case 'compact':
      return `${number} drops its log up to ${effect.upTo}`;
    case 'proposed':
      return `${number} has proposal ${effect.number} at ${effect.index}/${effect.term}`;
    case 'refusedProposal':
      return `${number} ends proposal ${effect.number}: ${effect.refusal.code}`;
    case 'settled':
      return `${number} has done request ${effect.request} at ${effect.index}`;
    case 'unsettled':
      return `${number} ends request ${effect.request}: ${effect.refusal.code}`;
    case 'readReady':
      return `${number} may answer read ${effect.request} from ${effect.index} on`;
    case 'leaderChanged':
      if (effect.isSelf) return null;
      return effect.leader === null ? `${number} knows no leader` : `${number} follows ${numberOf(effect.leader.id)}`;
    case 'configurationChanged': {
      const { index, configuration } = effect.latest;
      const how = effect.isCommitted ? 'committed' : 'not committed';
      return `${number} is in {${tellConfiguration(configuration)}} of ${index}, ${how}`;
    }
    case 'refused': {
      const whom = effect.from === null ? 'something' : `${numberOf(effect.from)}`;
      return `${number} refuses ${whom}: ${effect.refusal.code}`;
    }
    case 'call':
    case 'answer':
      return null;
  }
}

function tellWrite({ hardState, truncateFrom, entries }: Extract<RaftEffect, { kind: 'persist' }>): string {
  const parts = [];
  if (hardState !== null) {
    const vote = hardState.votedFor === null ? '' : ` vote ${numberOf(hardState.votedFor)}`;
    parts.push(`term ${hardState.term}${vote}`);
  }
  if (truncateFrom !== null) parts.push(`no log from ${truncateFrom} on`);
  if (entries.length > 0) parts.push(tellEntries(entries));
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}

export function tellStatus(number: number, status: RaftStatus): string {
  const { role, term, leader, lastIndex, lastTerm, durableIndex, commitIndex, appliedIndex, firstIndex } = status;
  const under = role === 'leader' || leader === null ? '' : ` under ${numberOf(leader.id)}`;
  const durable = durableIndex === lastIndex ? '' : ` durable ${durableIndex}`;
  const from = firstIndex === 1 ? '' : ` from ${firstIndex}`;
  const followers = status.followers.map(({ id, state, matchIndex }) => `${numberOf(id)} ${state} ${matchIndex}`);
  const knows = followers.length === 0 ? '' : ` (${followers.join(', ')})`;
  const log = `log${from} to ${lastIndex}/${lastTerm}${durable}`;
  return `${number} ${role}${under} term ${term} ${log} commit ${commitIndex} applied ${appliedIndex}${knows}`;
}

export function tellLog(server: Server): string {
  const { snapshot } = server.disk;
  const before = snapshot === null ? '' : `[snapshot to ${snapshot.meta.lastIndex}/${snapshot.meta.lastTerm}] `;
  const entries = [];
  for (let index = server.lastIndex; ; index--) {
    const entry = server.entry(index);
    if (entry === undefined) break;
    entries.unshift(tellAt(entry));
  }
  return `${server.number}: ${before}${entries.join(', ') || 'nothing'}`;
}
