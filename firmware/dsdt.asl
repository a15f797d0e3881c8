// The boards' devices, in ASL. What differs from board to board are the numbers behind the names that
// begin with F; firmware/acpi_dsdt.cpp writes them over the 0x12345678 that stands here. (In a table of
// their own they would have to be External, and SeaBIOS 1.16 gives the DSDT up at an ExternalOp.)
DefinitionBlock ("dsdt.aml", "DSDT", 2, "KITE  ", "KITEDSDT", 0x00000001)
{
    Name (FCOM, 0x12345678)    // bit n: COMn+1 is there
    Name (FRTC, 0x12345678)    // 1: there is a real-time clock
    Name (FKBC, 0x12345678)    // 1: there is an 8042
    Name (FPIC, 0x12345678)    // 1: there are 8259s
    Name (FHPT, 0x12345678)    // address of the HPET, 0: none
    Name (FPCI, 0x12345678)    // 1: there is a PCI bus
    Name (FPVP, 0x12345678)    // port of the pvpanic device, 0: none

    // Suspend to RAM, and soft-off. SLP_TYP is kAcpiSleepTypeS3 and kAcpiSleepTypeS5 of
    // firmware/acpi.h.
    Name (\_S3, Package (0x04) { One, One, Zero, Zero })
    Name (\_S5, Package (0x04) { 0x05, 0x05, Zero, Zero })

    Scope (\_SB)
    {
        Device (PIC)
        {
            Name (_HID, EisaId ("PNP0000"))
            Method (_STA, 0, NotSerialized) { If (\FPIC) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0020, 0x0020, 0x00, 0x02)
                IO (Decode16, 0x00A0, 0x00A0, 0x00, 0x02)
                IO (Decode16, 0x04D0, 0x04D0, 0x00, 0x02)
                IRQNoFlags () {2}
            })
        }

        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0040, 0x0040, 0x00, 0x04)
                IRQNoFlags () {0}
            })
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Method (_STA, 0, NotSerialized) { If (\FHPT) { Return (0x0F) } Return (Zero) }
            Name (RBUF, ResourceTemplate ()
            {
                Memory32Fixed (ReadOnly, 0xFED00000, 0x00000400, REGS)
            })
            Method (_CRS, 0, NotSerialized)
            {
                CreateDWordField (RBUF, ^REGS._BAS, BASE)
                BASE = \FHPT
                Return (RBUF)
            }
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Method (_STA, 0, NotSerialized) { If (\FRTC) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
                IRQNoFlags () {8}
            })
        }

        Device (KBD)
        {
            Name (_HID, EisaId ("PNP0303"))
            Method (_STA, 0, NotSerialized) { If (\FKBC) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
                IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
                IRQNoFlags () {1}
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, One)
            Method (_STA, 0, NotSerialized) { If (\FCOM & 0x01) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x00, 0x08)
                IRQNoFlags () {4}
            })
        }

        Device (COM2)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 0x02)
            Method (_STA, 0, NotSerialized) { If (\FCOM & 0x02) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x02F8, 0x02F8, 0x00, 0x08)
                IRQNoFlags () {3}
            })
        }

        Device (COM3)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 0x03)
            Method (_STA, 0, NotSerialized) { If (\FCOM & 0x04) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03E8, 0x03E8, 0x00, 0x08)
                IRQNoFlags () {4}
            })
        }

        Device (COM4)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 0x04)
            Method (_STA, 0, NotSerialized) { If (\FCOM & 0x08) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x02E8, 0x02E8, 0x00, 0x08)
                IRQNoFlags () {3}
            })
        }

        // Bus 0 behind configuration mechanism #1. Pin INTx of a function in slot n is wired to the PIIX3's
        // PIRQ (n - 1 + x) mod 4; the PIIX3 passes each on to an ISA interrupt, the number of which is in
        // its configuration space (82371SB 2.2.13).
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, Zero)
            Name (_BBN, Zero)
            Method (_STA, 0, NotSerialized) { If (\FPCI) { Return (0x0F) } Return (Zero) }
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
                IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0x00000000, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0xC0000000, 0xFEBFFFFF, 0x00000000, 0x3EC00000)
            })
            Name (_PRT, Package ()
            {
                Package () {0x00FFFF, 0, LNKD, 0}, Package () {0x00FFFF, 1, LNKA, 0},
                Package () {0x00FFFF, 2, LNKB, 0}, Package () {0x00FFFF, 3, LNKC, 0},
                Package () {0x01FFFF, 0, LNKS, 0}, Package () {0x01FFFF, 1, LNKB, 0},
                Package () {0x01FFFF, 2, LNKC, 0}, Package () {0x01FFFF, 3, LNKD, 0},
                Package () {0x02FFFF, 0, LNKB, 0}, Package () {0x02FFFF, 1, LNKC, 0},
                Package () {0x02FFFF, 2, LNKD, 0}, Package () {0x02FFFF, 3, LNKA, 0},
                Package () {0x03FFFF, 0, LNKC, 0}, Package () {0x03FFFF, 1, LNKD, 0},
                Package () {0x03FFFF, 2, LNKA, 0}, Package () {0x03FFFF, 3, LNKB, 0},
                Package () {0x04FFFF, 0, LNKD, 0}, Package () {0x04FFFF, 1, LNKA, 0},
                Package () {0x04FFFF, 2, LNKB, 0}, Package () {0x04FFFF, 3, LNKC, 0},
                Package () {0x05FFFF, 0, LNKA, 0}, Package () {0x05FFFF, 1, LNKB, 0},
                Package () {0x05FFFF, 2, LNKC, 0}, Package () {0x05FFFF, 3, LNKD, 0},
                Package () {0x06FFFF, 0, LNKB, 0}, Package () {0x06FFFF, 1, LNKC, 0},
                Package () {0x06FFFF, 2, LNKD, 0}, Package () {0x06FFFF, 3, LNKA, 0},
                Package () {0x07FFFF, 0, LNKC, 0}, Package () {0x07FFFF, 1, LNKD, 0},
                Package () {0x07FFFF, 2, LNKA, 0}, Package () {0x07FFFF, 3, LNKB, 0},
                Package () {0x08FFFF, 0, LNKD, 0}, Package () {0x08FFFF, 1, LNKA, 0},
                Package () {0x08FFFF, 2, LNKB, 0}, Package () {0x08FFFF, 3, LNKC, 0},
                Package () {0x09FFFF, 0, LNKA, 0}, Package () {0x09FFFF, 1, LNKB, 0},
                Package () {0x09FFFF, 2, LNKC, 0}, Package () {0x09FFFF, 3, LNKD, 0},
                Package () {0x0AFFFF, 0, LNKB, 0}, Package () {0x0AFFFF, 1, LNKC, 0},
                Package () {0x0AFFFF, 2, LNKD, 0}, Package () {0x0AFFFF, 3, LNKA, 0},
                Package () {0x0BFFFF, 0, LNKC, 0}, Package () {0x0BFFFF, 1, LNKD, 0},
                Package () {0x0BFFFF, 2, LNKA, 0}, Package () {0x0BFFFF, 3, LNKB, 0},
                Package () {0x0CFFFF, 0, LNKD, 0}, Package () {0x0CFFFF, 1, LNKA, 0},
                Package () {0x0CFFFF, 2, LNKB, 0}, Package () {0x0CFFFF, 3, LNKC, 0},
                Package () {0x0DFFFF, 0, LNKA, 0}, Package () {0x0DFFFF, 1, LNKB, 0},
                Package () {0x0DFFFF, 2, LNKC, 0}, Package () {0x0DFFFF, 3, LNKD, 0},
                Package () {0x0EFFFF, 0, LNKB, 0}, Package () {0x0EFFFF, 1, LNKC, 0},
                Package () {0x0EFFFF, 2, LNKD, 0}, Package () {0x0EFFFF, 3, LNKA, 0},
                Package () {0x0FFFFF, 0, LNKC, 0}, Package () {0x0FFFFF, 1, LNKD, 0},
                Package () {0x0FFFFF, 2, LNKA, 0}, Package () {0x0FFFFF, 3, LNKB, 0},
                Package () {0x10FFFF, 0, LNKD, 0}, Package () {0x10FFFF, 1, LNKA, 0},
                Package () {0x10FFFF, 2, LNKB, 0}, Package () {0x10FFFF, 3, LNKC, 0},
                Package () {0x11FFFF, 0, LNKA, 0}, Package () {0x11FFFF, 1, LNKB, 0},
                Package () {0x11FFFF, 2, LNKC, 0}, Package () {0x11FFFF, 3, LNKD, 0},
                Package () {0x12FFFF, 0, LNKB, 0}, Package () {0x12FFFF, 1, LNKC, 0},
                Package () {0x12FFFF, 2, LNKD, 0}, Package () {0x12FFFF, 3, LNKA, 0},
                Package () {0x13FFFF, 0, LNKC, 0}, Package () {0x13FFFF, 1, LNKD, 0},
                Package () {0x13FFFF, 2, LNKA, 0}, Package () {0x13FFFF, 3, LNKB, 0},
                Package () {0x14FFFF, 0, LNKD, 0}, Package () {0x14FFFF, 1, LNKA, 0},
                Package () {0x14FFFF, 2, LNKB, 0}, Package () {0x14FFFF, 3, LNKC, 0},
                Package () {0x15FFFF, 0, LNKA, 0}, Package () {0x15FFFF, 1, LNKB, 0},
                Package () {0x15FFFF, 2, LNKC, 0}, Package () {0x15FFFF, 3, LNKD, 0},
                Package () {0x16FFFF, 0, LNKB, 0}, Package () {0x16FFFF, 1, LNKC, 0},
                Package () {0x16FFFF, 2, LNKD, 0}, Package () {0x16FFFF, 3, LNKA, 0},
                Package () {0x17FFFF, 0, LNKC, 0}, Package () {0x17FFFF, 1, LNKD, 0},
                Package () {0x17FFFF, 2, LNKA, 0}, Package () {0x17FFFF, 3, LNKB, 0},
                Package () {0x18FFFF, 0, LNKD, 0}, Package () {0x18FFFF, 1, LNKA, 0},
                Package () {0x18FFFF, 2, LNKB, 0}, Package () {0x18FFFF, 3, LNKC, 0},
                Package () {0x19FFFF, 0, LNKA, 0}, Package () {0x19FFFF, 1, LNKB, 0},
                Package () {0x19FFFF, 2, LNKC, 0}, Package () {0x19FFFF, 3, LNKD, 0},
                Package () {0x1AFFFF, 0, LNKB, 0}, Package () {0x1AFFFF, 1, LNKC, 0},
                Package () {0x1AFFFF, 2, LNKD, 0}, Package () {0x1AFFFF, 3, LNKA, 0},
                Package () {0x1BFFFF, 0, LNKC, 0}, Package () {0x1BFFFF, 1, LNKD, 0},
                Package () {0x1BFFFF, 2, LNKA, 0}, Package () {0x1BFFFF, 3, LNKB, 0},
                Package () {0x1CFFFF, 0, LNKD, 0}, Package () {0x1CFFFF, 1, LNKA, 0},
                Package () {0x1CFFFF, 2, LNKB, 0}, Package () {0x1CFFFF, 3, LNKC, 0},
                Package () {0x1DFFFF, 0, LNKA, 0}, Package () {0x1DFFFF, 1, LNKB, 0},
                Package () {0x1DFFFF, 2, LNKC, 0}, Package () {0x1DFFFF, 3, LNKD, 0},
                Package () {0x1EFFFF, 0, LNKB, 0}, Package () {0x1EFFFF, 1, LNKC, 0},
                Package () {0x1EFFFF, 2, LNKD, 0}, Package () {0x1EFFFF, 3, LNKA, 0},
                Package () {0x1FFFFF, 0, LNKC, 0}, Package () {0x1FFFFF, 1, LNKD, 0},
                Package () {0x1FFFFF, 2, LNKA, 0}, Package () {0x1FFFFF, 3, LNKB, 0}
            })

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (PIRQ, PCI_Config, 0x60, 0x04) // PIRQRC[A:D]
                Field (PIRQ, ByteAcc, NoLock, Preserve) { PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8 }
            }
        }

        // A PIRQ's bit 7 says that it goes nowhere. Linux asks for _CRS before _STA, and without a PCI bus there
        // is no register to read.
        Method (LSTA, 1, NotSerialized)
        {
            If (Arg0 & 0x80) { Return (0x09) }
            Return (0x0B)
        }
        Method (LCRS, 1, Serialized)
        {
            Name (LBUF, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared,,, LIRQ) {0} })
            CreateDWordField (LBUF, LIRQ._INT, LINT)
            If (!(Arg0 & 0x80)) { LINT = Arg0 }
            Return (LBUF)
        }

        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, Zero)
            Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10, 11} })
            Method (_STA, 0, NotSerialized) { If (\FPCI) { Return (LSTA (^^PCI0.ISA.PRQA)) } Return (Zero) }
            Method (_CRS, 0, NotSerialized) { If (\FPCI) { Return (LCRS (^^PCI0.ISA.PRQA)) } Return (_PRS) }
            Method (_DIS, 0, NotSerialized) { ^^PCI0.ISA.PRQA |= 0x80 }
            Method (_SRS, 1, NotSerialized)
            {
                CreateDWordField (Arg0, 0x05, LINT)
                ^^PCI0.ISA.PRQA = LINT
            }
        }

        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, One)
            Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10, 11} })
            Method (_STA, 0, NotSerialized) { If (\FPCI) { Return (LSTA (^^PCI0.ISA.PRQB)) } Return (Zero) }
            Method (_CRS, 0, NotSerialized) { If (\FPCI) { Return (LCRS (^^PCI0.ISA.PRQB)) } Return (_PRS) }
            Method (_DIS, 0, NotSerialized) { ^^PCI0.ISA.PRQB |= 0x80 }
            Method (_SRS, 1, NotSerialized)
            {
                CreateDWordField (Arg0, 0x05, LINT)
                ^^PCI0.ISA.PRQB = LINT
            }
        }

        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 0x02)
            Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10, 11} })
            Method (_STA, 0, NotSerialized) { If (\FPCI) { Return (LSTA (^^PCI0.ISA.PRQC)) } Return (Zero) }
            Method (_CRS, 0, NotSerialized) { If (\FPCI) { Return (LCRS (^^PCI0.ISA.PRQC)) } Return (_PRS) }
            Method (_DIS, 0, NotSerialized) { ^^PCI0.ISA.PRQC |= 0x80 }
            Method (_SRS, 1, NotSerialized)
            {
                CreateDWordField (Arg0, 0x05, LINT)
                ^^PCI0.ISA.PRQC = LINT
            }
        }

        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 0x03)
            Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {5, 10, 11} })
            Method (_STA, 0, NotSerialized) { If (\FPCI) { Return (LSTA (^^PCI0.ISA.PRQD)) } Return (Zero) }
            Method (_CRS, 0, NotSerialized) { If (\FPCI) { Return (LCRS (^^PCI0.ISA.PRQD)) } Return (_PRS) }
            Method (_DIS, 0, NotSerialized) { ^^PCI0.ISA.PRQD |= 0x80 }
            Method (_SRS, 1, NotSerialized)
            {
                CreateDWordField (Arg0, 0x05, LINT)
                ^^PCI0.ISA.PRQD = LINT
            }
        }

        // The PIIX4's power management: its INTA is the SCI, which no register moves.
        Device (LNKS)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 0x04)
            Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {9} })
            Method (_STA, 0, NotSerialized) { If (\FPCI) { Return (0x0B) } Return (Zero) }
            Method (_CRS, 0, NotSerialized) { Return (_PRS) }
            Method (_DIS, 0, NotSerialized) {}
            Method (_SRS, 1, NotSerialized) {}
        }

        Device (PVPN)
        {
            Name (_HID, "QEMU0001")
            Method (_STA, 0, NotSerialized) { If (\FPVP) { Return (0x0F) } Return (Zero) }
            Name (RBUF, ResourceTemplate ()
            {
                IO (Decode16, 0x0505, 0x0505, 0x01, 0x01, PORT)
            })
            Method (_CRS, 0, NotSerialized)
            {
                CreateWordField (RBUF, ^PORT._MIN, PMIN)
                CreateWordField (RBUF, ^PORT._MAX, PMAX)
                PMIN = \FPVP
                PMAX = \FPVP
                Return (RBUF)
            }
        }
    }
}
