"""What the speech data sets share: reading audio, front ends, augmentation."""
