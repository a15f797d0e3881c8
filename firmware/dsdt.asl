// The board's fixed part, in ASL. What differs from board to board the SSDT tells, which
// firmware/acpi.cpp writes: the names that begin with F.
DefinitionBlock ("dsdt.aml", "DSDT", 2, "KITE  ", "KITEDSDT", 0x00000001)
{
    External (\FCOM, IntObj)    // bit n: COMn+1 is there
    External (\FRTC, IntObj)    // 1: there is a real-time clock
    External (\FKBC, IntObj)    // 1: there is an 8042
    External (\FPIC, IntObj)    // 1: there are 8259s
    External (\FHPT, IntObj)    // address of the HPET, 0: none
    External (\FPCI, IntObj)    // 1: there is a PCI bus
    External (\FPVP, IntObj)    // port of the pvpanic device, 0: none

    // Soft-off. SLP_TYP is kAcpiSleepTypeS5 of firmware/acpi.h.
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

        // Bus 0 behind configuration mechanism #1. No slot has an interrupt pin that is wired.
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
