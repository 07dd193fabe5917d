/** Entries of a log for tests of what keeps and drives one. */
import { utf8 } from '../../../src/base/bytes.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';

export function command(index: number, term = 1, text = `command ${index}`): Entry {
  return {
    index,
    term,
    type: ENTRY_TYPES.command,
    data: utf8(text),
    extensions: null,
    appendedAt: undefined,
  };
}

export function commands(from: number, to: number, term = 1): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => command(from + i, term));
}
