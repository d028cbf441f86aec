import { type ComponentType, useState } from 'react';
import styles from './objective.module.css';

interface LabPartProps {
  readonly title: string;
  readonly isOpenAtFirst?: boolean;
  /** Loaded when it is first opened; it stays as it is when it is closed. */
  readonly Content: ComponentType<{ readonly isOpen: boolean }>;
}

/** A part of the lab that is folded until somebody wants it. */
export function LabPart({ title, isOpenAtFirst = false, Content }: LabPartProps) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const [wasOpened, setOpened] = useState(isOpenAtFirst);
  return (
    <details
      className={styles.part}
      open={isOpen}
      onToggle={({ currentTarget }) => {
        setOpen(currentTarget.open);
        setOpened(wasOpened || currentTarget.open);
      }}
    >
      <summary>
        <h3>{title}</h3>
      </summary>
      {wasOpened && <Content isOpen={isOpen} />}
    </details>
  );
}
