/**
 * Redrawing in place: one write a frame, the cursor hidden, only lines that changed, and the frame wrapped in
 * synchronized-output marks, which terminals that do not know them ignore. So nothing flickers and the scrollback
 * stays whole.
 */
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const BEGIN_FRAME = '\x1b[?2026h';
const END_FRAME = '\x1b[?2026l';
const CLEAR_TO_LINE_END = '\x1b[K';
const CLEAR_TO_SCREEN_END = '\x1b[J';

/** The bytes that turn one frame, with the cursor below its last line, into the next. */
export function frameUpdate(before: readonly string[], after: readonly string[]): string {
  let text = before.length === 0 ? HIDE_CURSOR : BEGIN_FRAME;
  if (before.length > 0) text += `\r\x1b[${before.length}A`;
  for (const [index, line] of after.entries()) {
    text += line === before[index] ? '\n' : `${line}${CLEAR_TO_LINE_END}\n`;
  }
  if (after.length < before.length) text += CLEAR_TO_SCREEN_END;
  return before.length === 0 ? text : text + END_FRAME;
}

/** The bytes that leave the terminal as it was found, below the last frame. */
export function endOfFrames(): string {
  return SHOW_CURSOR;
}

export class Screen {
  readonly #write: (text: string) => void;
  #shown: readonly string[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** @param rows height of the terminal: a frame that scrolls could not be redrawn, so it is cut */
  draw(lines: readonly string[], rows: number): void {
    const frame = lines.slice(0, Math.max(1, rows - 1));
    const update = frameUpdate(this.#shown, frame);
    this.#shown = frame;
    this.#write(update);
  }

  end(): void {
    this.#write(endOfFrames());
  }
}
