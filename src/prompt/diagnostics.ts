/** Builders for what the parsers and the linter say about a prompt. */
import type { Diagnostic, Edit, Range } from './ast.ts';
import { placeOf } from './sourceText.ts';

export type Fix = NonNullable<Diagnostic['fix']>;

function diagnostic(severity: Diagnostic['severity'], code: string, range: Range, message: string, fix?: Fix) {
  const { start, end } = range;
  return fix ? { code, severity, start, end, message, fix } : { code, severity, start, end, message };
}

export function error(code: string, range: Range, message: string, fix?: Fix): Diagnostic {
  return diagnostic('error', code, range, message, fix);
}

export function warning(code: string, range: Range, message: string, fix?: Fix): Diagnostic {
  return diagnostic('warning', code, range, message, fix);
}

export function info(code: string, range: Range, message: string, fix?: Fix): Diagnostic {
  return diagnostic('info', code, range, message, fix);
}

export function fixWith(label: string, ...edits: Edit[]): Fix {
  return { label, edits };
}

export function insertion(at: number, insert: string): Edit {
  return { start: at, end: at, insert };
}

export function byPlace(a: Range, b: Range): number {
  return a.start - b.start;
}

/** Keeps of the diagnostics with one code and place the first. */
export class DistinctDiagnostics {
  readonly all: Diagnostic[] = [];
  readonly #places = new Map<string, Set<number>>();

  add(diagnostic: Diagnostic): void {
    const { code } = diagnostic;
    const places = this.#places.get(code) ?? new Set();
    this.#places.set(code, places);
    const place = placeOf(diagnostic);
    if (places.has(place)) return;
    places.add(place);
    this.all.push(diagnostic);
  }
}
