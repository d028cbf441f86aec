import { useEffect, useState } from 'react';

/** Typing has rested when nothing was typed for as long. */
const restMilliseconds = 1500;

/**
 * Tells screen readers a text that follows what is typed: once, when typing rests, and only if it then differs from what
 * was said last. What is there from the start is not said.
 */
export function Announcement({ label, text }: { readonly label: string; readonly text: string }) {
  const [said, setSaid] = useState(text);
  useEffect(() => {
    const rest = setTimeout(() => setSaid(text), restMilliseconds);
    return () => clearTimeout(rest);
  }, [text]);
  return (
    <p className="visually-hidden" role="status" aria-label={label}>
      {said}
    </p>
  );
}
