import type { ReactNode } from 'react';
import type { Part } from '../../state/shownParts.ts';
import { useFacts } from './useFacts.ts';

interface HideableProps {
  readonly part: Part;
  readonly children: ReactNode;
  /** Stands in its place where the address hides it. */
  readonly otherwise?: ReactNode;
}

/** A part of the page that its address can leave out. */
export function Hideable({ part, children, otherwise = null }: HideableProps) {
  return useFacts((s) => s.parts.hidden.has(part)) ? otherwise : children;
}
